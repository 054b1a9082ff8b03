"""g * w: the first-order change of the loss without a weight, for the scorers that start from it."""

import torch
from torch import nn

from pruneexp.network.prunable import prunable
from pruneexp.scorers.derivatives import cross_entropy, gradients, outputs
from pruneexp.scorers.float64 import BatchNorm, in_float64


def weights_times_gradients(
    model: nn.Module, images: torch.Tensor, labels: torch.Tensor, batchnorm: BatchNorm, chunk: int = 0
) -> dict[str, torch.Tensor]:
    """w * dL/dw of each weight, L the mean cross-entropy of the images, float64; the model is left as it is.

    Args:
        images: [n, ...].
        labels: [n], or what else `cross_entropy` takes.
        batchnorm: with ``train`` each chunk has statistics of its own.
        chunk: images to a batch; 0: all of them.
    """
    double = in_float64(model, batchnorm)
    weights = prunable(double)
    products = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    size = chunk or len(images)
    for part, target in zip(images.split(size), labels.split(size), strict=True):
        loss = cross_entropy(outputs(double, part), target, reduction="sum") / len(images)
        for (name, weight), gradient in zip(weights.items(), gradients(loss, list(weights.values())), strict=True):
            products[name] += weight.detach() * gradient
    return products
