"""SynFlow: the synaptic flow through each weight, without data."""

import torch
from torch import nn

from pruneexp.components.options import component
from pruneexp.data.batches import Batches
from pruneexp.errors import UserError
from pruneexp.network.prunable import prunable
from pruneexp.scorers.derivatives import gradients, outputs
from pruneexp.scorers.float64 import BatchNorm, in_float64


@component("scorer")
def synflow(
    model: nn.Module, batches: Batches, generator: torch.Generator, batchnorm: BatchNorm = "eval"
) -> dict[str, torch.Tensor]:
    """|dR/dw * w| of each weight, R the sum of the outputs of the network with |w| for every parameter on an input of ones.

    R is a sum over all input-output paths of the product of |w| along them, and a weight's score the part of it that goes
    through the weight, so that in a chain the scores of every layer sum to the same number (Tanaka et al. 2020, "Pruning
    neural networks without any data by iteratively conserving synaptic flow", eq. 2 and Theorem 1). Meant for many rounds:
    `rounds` in the configuration. float64, since R overflows float32 in deep networks.

    Args:
        model: any network whose modules are linear, ReLU, pooling or normalisation; left as it is.
        batches: only the input's shape is used; of a network that reads indices the first of the examples, in place of ones.
        generator: not used.
        batchnorm: ``eval`` (default, at the initial statistics, mean 0 and variance 1) or ``train``.

    Raises:
        UserError: the input's shape is not known.
    """
    if batches.input_shape is None:
        raise UserError("synflow needs the input's shape: pass example_input.")
    double = in_float64(model, batchnorm)
    for module in double.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.reset_running_stats()
    with torch.no_grad():
        for parameter in double.parameters():
            parameter.copy_(parameter.abs())  # in place there is none of complex numbers
    weights = prunable(double)
    slopes = gradients(outputs(double, batches.one(1.0)).sum(), list(weights.values()))
    return {
        name: (weight.detach() * slope).abs() for (name, weight), slope in zip(weights.items(), slopes, strict=True)
    }
