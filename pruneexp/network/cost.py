"""What a network costs to run: its multiply-accumulate operations."""

import torch
from torch import nn

from pruneexp.network.prunable import modes_kept, prunable_layers


def multiply_accumulates(model: nn.Module, input_shape: tuple[int, ...]) -> dict[str, int]:
    """Multiply-accumulate operations of each prunable weight's layer for one input of shape [C, H, W], unpruned.

    A pruned layer needs its density times as many. The model is run once in eval mode on zeros and left as it was.
    """
    counts: dict[str, int] = {}

    def count(name: str) -> object:
        def hook(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            weight = module.get_parameter("weight")
            positions = output[0].numel() // weight.shape[0]
            counts[name] = counts.get(name, 0) + weight.numel() * positions

        return hook

    handles = [
        module.register_forward_hook(count(name))  # type: ignore[arg-type]
        for name, module in prunable_layers(model).items()
    ]
    like = next(model.parameters())
    try:
        with modes_kept(model), torch.no_grad():
            model.eval()(torch.zeros(1, *input_shape, device=like.device, dtype=like.dtype))
    finally:
        for handle in handles:
            handle.remove()
    return counts
