"""What a network costs to run: its multiply-accumulate operations."""

from collections.abc import Callable

import torch
from torch import nn

from pruneexp.network.prunable import PROJECTIONS, TRANSPOSED, Place, modes_kept, places


def multiply_accumulates(model: nn.Module, input_shape: tuple[int, ...]) -> dict[str, int]:
    """Multiply-accumulate operations of each prunable weight's layer for one input of shape [C, H, W], unpruned.

    A weight is used once at each position: of a layer's outputs, of a transposed convolution's inputs, of attention's queries, keys,
    values and outputs. A pruned layer needs its density times as many. The model is run once in eval mode on zeros and left as it was.
    """
    counts: dict[str, int] = {}
    found = places(model)

    def count(name: str, place: Place) -> Callable[[nn.Module, tuple[torch.Tensor, ...], torch.Tensor], None]:
        def hook(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            if place.attribute in PROJECTIONS:
                given = inputs[PROJECTIONS.index(place.attribute)]
                positions = given.numel() // given.shape[-1]
                if place.attribute == PROJECTIONS[0]:  # attention reads its out_proj without calling it
                    reads = [other for other, at in found.items() if at.module is module.out_proj]
                    counts.update({other: counts.get(other, 0) + place.weight.numel() * positions for other in reads})
            else:
                through = inputs[0] if isinstance(module, TRANSPOSED) else output
                positions = through[0].numel() // place.weight.shape[0]
            counts[name] = counts.get(name, 0) + place.weight.numel() * positions

        return hook

    handles = [place.module.register_forward_hook(count(name, place)) for name, place in found.items()]
    like = next(model.parameters())
    try:
        with modes_kept(model), torch.no_grad():
            model.eval()(torch.zeros(1, *input_shape, device=like.device, dtype=like.dtype))
    finally:
        for handle in handles:
            handle.remove()
    return counts
