"""SNIP: connection sensitivity |g * w|."""

import torch
from torch import nn
from torch.nn import functional

from pruneexp.choices import checked
from pruneexp.data.batches import Batches
from pruneexp.errors import whole_number
from pruneexp.layers import prunable
from pruneexp.scorers.float64 import BatchNorm, in_float64


@checked
def snip(
    model: nn.Module,
    batches: Batches,
    generator: torch.Generator,
    samples: int = 100,
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
    whole_number("scorer.samples", samples, 1)
    images, labels = batches.samples(samples)
    double = in_float64(model, batchnorm)
    weights = prunable(double)
    device = next(double.parameters()).device
    loss = functional.cross_entropy(double(images.to(device, torch.float64)), labels.to(device))
    gradients = torch.autograd.grad(loss, list(weights.values()))
    return {
        name: (weight.detach() * gradient).abs()
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True)
    }
