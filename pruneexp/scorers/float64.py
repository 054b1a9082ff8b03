"""A network's copy for scoring: float64, so that a mask does not depend on rounding."""

import copy
from typing import Literal

import torch
from torch import nn

from pruneexp.network.prunable import outputs_first

BatchNorm = Literal["train", "eval"]


def in_float64(model: nn.Module, batchnorm: BatchNorm) -> nn.Module:
    """A copy of `model` in float64 whose BatchNorm layers use the batch's statistics or their own.

    Scoring the copy leaves the model's weights, statistics, mode and gradients alone. Dropout is off.

    Args:
        model: the network to be scored.
        batchnorm: ``train`` (batch statistics) or ``eval`` (running ones, at initialisation mean 0 and variance 1).
    """
    double = copy.deepcopy(model).double().eval()  # complex numbers stay complex
    for parameter in double.parameters():
        parameter.requires_grad_(parameter.is_floating_point() or parameter.is_complex())
    for module in double.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train(batchnorm == "train")
    return double


def drawn_anew(layer: nn.Module, weight: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """N(0, 2 / fan_in) of the shape of the layer's weight, float64, drawn on the CPU (kaiming_normal: He et al. 2015)."""
    drawn = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
    return (drawn * (2 / outputs_first(layer, weight)[0].numel()) ** 0.5).to(weight.device)
