"""A network's prunable weights, and its multiply-accumulate operations."""

import torch
from torch import nn

from pruneexp.errors import UserError

PRUNABLE = (nn.Linear, nn.Conv2d)


def prunable(model: nn.Module) -> dict[str, torch.Tensor]:
    """The weights of Linear and Conv2d layers by parameter name, in the model's order; never biases or normalisation.

    Raises:
        UserError: the model has none.
    """
    weights = {
        f"{name}.weight" if name else "weight": module.weight
        for name, module in model.named_modules()
        if isinstance(module, (nn.Linear, nn.Conv2d))
    }
    if not weights:
        raise UserError("this model has no prunable layer: pruneexp prunes the weights of Linear and Conv2d modules.")
    return weights


def classifier(model: nn.Module) -> str:
    """The name of the last Linear module, in the model's order: the layer whose outputs are the classes.

    Raises:
        UserError: there is none.
    """
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not names:
        raise UserError("this model has no Linear layer whose outputs could be the classes.")
    return names[-1]


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
        module.register_forward_hook(count(f"{name}.weight" if name else "weight"))  # type: ignore[arg-type]
        for name, module in model.named_modules()
        if isinstance(module, PRUNABLE)
    ]
    modes = {module: module.training for module in model.modules()}
    like = next(model.parameters())
    try:
        model.eval()
        with torch.no_grad():
            model(torch.zeros(1, *input_shape, device=like.device, dtype=like.dtype))
    finally:
        for module, mode in modes.items():
            module.training = mode
        for handle in handles:
            handle.remove()
    return counts
