"""The numbers of "ER" in the public code of Cunegatti et al."""

import math
from collections.abc import Sequence

import numpy as np

from pruneexp.allocations import erk
from pruneexp.components.options import component
from pruneexp.layers import Layer, capacities


@component("allocation", needs_scores=False)
def er_published(layers: Sequence[Layer], density: float) -> np.ndarray:
    """min(1, eps share / size) of each layer, with the shares of ``erk``.

    What exceeds a layer's size is not given to the others, and eps is sought among sums that count it: from 10 it is raised or lowered
    by a half, and in each further step by 5 % less of itself, until sum eps * share is density * N up to five weights; but the step after
    that is still made, and eps is what it leaves. So a network has not density * N weights: 79 % (ResNet-32 at 0.05) to 103 % in the
    networks whose accuracies they publish, whose layers' densities are these up to the chance of their draws (`results/published`).

    Args:
        layers: capacity is what earlier rounds left available.
        density: asked for.

    Returns:
        int64 [layers].
    """
    size = np.array([layer.size for layer in layers])
    share = np.array([erk.share(tuple(layer.score.shape)) for layer in layers])
    target, eps, step, reached = density * size.sum(), 10.0, 0.5, math.inf
    while abs(reached - target) >= 5:
        reached = eps * share.sum()
        eps *= 1 - step if reached > target else 1 + step
        step *= 0.95
    return np.minimum(np.rint(eps * share).astype(np.int64), capacities(layers))
