"""Random: scores that know nothing, the control of every comparison."""

import torch
from torch import nn

from pruneexp.components.options import component
from pruneexp.data.batches import Batches
from pruneexp.network.prunable import prunable


@component("scorer")
def random(model: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Independent uniform numbers in (0, 1], float64, shaped like the weights.

    Args:
        model: any network; left as it is.
        batches: not used.
        generator: the random stream of the scores.
    """
    return {
        name: (1 - torch.rand(weight.shape, generator=generator, dtype=torch.float64)).to(weight.device)
        for name, weight in prunable(model).items()
    }
