"""g * w: the first-order change of the loss without a weight, for the scorers that start from it."""

import torch
from torch import nn
from torch.nn import functional

from pruneexp.data.batches import Batches
from pruneexp.network.prunable import prunable
from pruneexp.scorers.float64 import BatchNorm, in_float64


def weights_times_gradients(
    model: nn.Module, batches: Batches, samples: int, batchnorm: BatchNorm
) -> dict[str, torch.Tensor]:
    """w * dL/dw of each weight, L the mean cross-entropy of the first `samples` images, float64; the model is left as it is.

    Raises:
        UserError: there are fewer images.
    """
    images, labels = batches.samples(samples)
    double = in_float64(model, batchnorm)
    weights = prunable(double)
    device = next(double.parameters()).device
    loss = functional.cross_entropy(double(images.to(device, torch.float64)), labels.to(device))
    gradients = torch.autograd.grad(loss, list(weights.values()))
    return {
        name: weight.detach() * gradient for (name, weight), gradient in zip(weights.items(), gradients, strict=True)
    }
