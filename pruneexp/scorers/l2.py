"""L2: the length of a neuron's incoming weights."""

import torch
from torch import nn

from pruneexp.components.options import component
from pruneexp.data.batches import Batches
from pruneexp.network.prunable import prunable, prunable_layers
from pruneexp.scorers.neurons import of_weights, rows


@component("scorer")
def l2(model: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """|w_k|_2 of each neuron (a convolution's filter), for all of its weights (Li et al. 2017 take the L1 norm).

    Args:
        model: any network; left as it is.
        batches, generator: not used.
    """
    layers = prunable_layers(model)
    return {
        name: of_weights(rows(layers[name], weight).flatten(1).norm(dim=1), layers[name], weight)
        for name, weight in prunable(model).items()
    }
