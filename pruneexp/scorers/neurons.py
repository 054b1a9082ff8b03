"""Scores of neurons as scores of weights: every weight has the score of the neuron that it leads into."""

import torch


def of_weights(neurons: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """[C_out] repeated to the shape of the weight [C_out, ...], in memory of its own."""
    return neurons.reshape(-1, *[1] * (weight.dim() - 1)).expand_as(weight).clone()
