"""SNIP: connection sensitivity |g * w|."""

import torch
from torch import nn

from pruneexp.components.options import component
from pruneexp.components.values import Count
from pruneexp.data.batches import Batches
from pruneexp.scorers.float64 import BatchNorm
from pruneexp.scorers.sensitivity import weights_times_gradients


@component("scorer")
def snip(
    model: nn.Module,
    batches: Batches,
    generator: torch.Generator,
    samples: Count = 100,
    batchnorm: BatchNorm = "train",
) -> dict[str, torch.Tensor]:
    """|dL/dw * w| of each weight, L the mean cross-entropy of `samples` training images, float64.

    The derivative of the loss with respect to a switch c on each weight, at c = 1 (Lee et al. 2018, "SNIP: Single-shot
    network pruning based on connection sensitivity", eq. 4; their normalisation by the sum changes no ranking).

    Args:
        model: any classifier; left as it is.
        batches: the images; the first `samples` are taken.
        generator: not used, the samples are drawn once for the job.
        samples: Laenen (2023) takes 100.
        batchnorm: ``train`` (default, batch statistics) or ``eval`` (as in the original implementation): it decides a good
            part of the mask.

    Raises:
        UserError: fewer than `samples` images.
    """
    products = weights_times_gradients(model, batches, samples, batchnorm)
    return {name: product.abs() for name, product in products.items()}
