"""Taylor: what the loss would change, to first order, if a neuron's weights were zero."""

import torch
from torch import nn

from pruneexp.components.options import component
from pruneexp.components.values import Count
from pruneexp.data.batches import Batches
from pruneexp.network.prunable import prunable_layers
from pruneexp.scorers.float64 import BatchNorm
from pruneexp.scorers.neurons import of_weights, rows
from pruneexp.scorers.sensitivity import weights_times_gradients


@component("scorer")
def taylor(
    model: nn.Module,
    batches: Batches,
    generator: torch.Generator,
    samples: Count = 128,
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
    products = weights_times_gradients(model, *batches.samples(samples), batchnorm)
    layers = prunable_layers(model)
    return {
        name: of_weights(rows(layers[name], product).flatten(1).sum(dim=1) ** 2, layers[name], product)
        for name, product in products.items()
    }
