"""Scores of neurons as scores of weights: every weight has the score of the neuron that it leads into."""

import torch
from torch import nn

from pruneexp.network.prunable import as_stored, outputs_first


def rows(layer: nn.Module, weight: torch.Tensor) -> torch.Tensor:
    """A layer's weight, or something shaped like it, with a row for each neuron [C_out, ...], without a gradient."""
    return outputs_first(layer, weight.detach())


def of_weights(neurons: torch.Tensor, layer: nn.Module, weight: torch.Tensor) -> torch.Tensor:
    """[C_out] repeated to the shape of the layer's weight, in memory of its own."""
    shape = rows(layer, weight).shape
    return as_stored(layer, neurons.reshape(-1, *[1] * (len(shape) - 1)).expand(shape)).clone()
