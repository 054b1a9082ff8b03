"""Magnitude: |w|."""

import torch
from torch import nn

from pruneexp.components.options import component
from pruneexp.data.batches import Batches
from pruneexp.network.prunable import prunable


@component("scorer")
def magnitude(model: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """The absolute value of each weight (Han et al. 2015), shaped like it.

    Args:
        model: any network; left as it is.
        batches: not used, magnitude needs no data.
        generator: not used, magnitude draws nothing.
    """
    return {name: weight.detach().abs() for name, weight in prunable(model).items()}
