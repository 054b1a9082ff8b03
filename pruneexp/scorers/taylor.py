"""Taylor: what the loss would change, to first order, if a neuron's weights were zero."""

import torch
from torch import nn
from torch.nn import functional

from pruneexp.choices import checked
from pruneexp.data.batches import Batches
from pruneexp.errors import whole_number
from pruneexp.layers import prunable
from pruneexp.scorers.float64 import BatchNorm, in_float64
from pruneexp.scorers.neurons import of_weights


@checked
def taylor(
    model: nn.Module,
    batches: Batches,
    generator: torch.Generator,
    samples: int = 128,
    batchnorm: BatchNorm = "eval",
) -> dict[str, torch.Tensor]:
    """(sum_{w in k} g w)^2 of each neuron k, g = dL/dw of the mean cross-entropy on `samples` images, float64.

    Molchanov et al. (2019), "Importance estimation for neural network pruning", eq. 8 with the filter's weights as the set
    that goes together; their mean over many batches is one batch here.

    Args:
        model: any classifier; left as it is.
        batches: the first `samples` training images.
        generator: not used.
        samples: images.
        batchnorm: ``eval`` (default: a pretrained network is judged as it is used) or ``train``.

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
        name: of_weights((weight.detach() * gradient).flatten(1).sum(dim=1) ** 2, weight)
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True)
    }
