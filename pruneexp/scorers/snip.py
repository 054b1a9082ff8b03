"""SNIP: connection sensitivity |g * w|."""

import torch
from torch import nn

from pruneexp.components.options import component
from pruneexp.components.values import Count, Natural
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
    augment: bool = False,
    fresh: bool = False,
    chunk: Natural = 0,
) -> dict[str, torch.Tensor]:
    """|dL/dw * w| of each weight, L the mean cross-entropy of `samples` training images, float64.

    The derivative of the loss with respect to a switch c on each weight, at c = 1 (Lee et al. 2018, "SNIP: Single-shot
    network pruning based on connection sensitivity", eq. 4; their normalisation by the sum changes no ranking).

    Args:
        model: any classifier; left as it is.
        batches: the images; the first `samples` are taken.
        generator: of the draws that `augment` and `fresh` ask for; without them not used, the samples are drawn once for the job.
        samples: Laenen (2023) takes 100.
        batchnorm: ``train`` (default, batch statistics) or ``eval`` (as in the original implementation): it decides a good
            part of the mask.
        augment: the images are augmented as the recipe augments them for training (the loader of Cunegatti et al.'s public code).
        fresh: other images in each round (de Jorge et al. 2021, FORCE and Iterative SNIP), drawn from all there are for scoring.
        chunk: images to a batch (0: all in one), whose gradients are averaged; with batch statistics each batch has its own.

    Raises:
        UserError: fewer than `samples` images, or `augment` without a recipe.
    """
    images, labels = batches.samples(samples, generator if fresh else None, generator if augment else None)
    products = weights_times_gradients(model, images, labels, batchnorm, chunk)
    return {name: product.abs() for name, product in products.items()}
