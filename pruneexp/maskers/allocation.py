"""How many weights each layer keeps when the scores do not say: the densities of random and structural masks."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from pruneexp.maskers.layer import Layer, apportion, capacities

Allocation = Literal["uniform", "er", "erk", "vertices"]


def allocate(
    layers: Sequence[Layer], count: int, allocation: Allocation, least: np.ndarray | None = None
) -> np.ndarray:
    """Whole numbers summing to `count`: min(capacity, max(least, eps * share)) of each layer, one eps for all.

    Shares of a layer [C_out, C_in, K_h, K_w] (K = 1 for Linear), with densities as their papers have them:
    ``uniform`` its size, the same density everywhere; ``er`` (C_in + C_out) K_h K_w, density proportional to
    (C_in + C_out) / (C_in C_out) (Erdos-Renyi: Mocanu et al. 2018); ``erk`` C_in + C_out + K_h + K_w (Erdos-Renyi
    kernel: Evci et al. 2020); ``vertices`` n ln n of its n bipartite vertices, as Sparsify's budget goes. A layer whose
    share exceeds its size is dense, and the others share what that leaves, exactly.

    Args:
        layers: capacity is what earlier rounds left available.
        count: at most the capacities' sum.
        least: int [layers], no larger than the capacities, summing to at most `count`; 0 if left out.

    Returns:
        int64 [layers].
    """
    capacity = capacities(layers)
    floor = np.zeros_like(capacity) if least is None else least
    share = np.array([_share(tuple(layer.score.shape), allocation) for layer in layers])
    # the total grows with eps and is linear between the points where a layer leaves its floor or reaches its capacity
    points = np.sort(np.concatenate([floor / share, capacity / share]))
    totals = np.clip(points[:, None] * share, floor, capacity).sum(axis=1)
    eps = np.interp(count, totals, points)
    return apportion(np.clip(eps * share, floor, capacity), capacity)


def er_published(layers: Sequence[Layer], density: float) -> np.ndarray:
    """The numbers of "ER" in the public code of Cunegatti et al.: min(1, eps share / size) of each layer, with the shares of ``erk``.

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
    share = np.array([_share(tuple(layer.score.shape), "erk") for layer in layers])
    target, eps, step, reached = density * size.sum(), 10.0, 0.5, math.inf
    while abs(reached - target) >= 5:
        reached = eps * share.sum()
        eps *= 1 - step if reached > target else 1 + step
        step *= 0.95
    return np.minimum(np.rint(eps * share).astype(np.int64), capacities(layers))


def _share(shape: tuple[int, ...], allocation: Allocation) -> float:
    out, into, *kernel = shape
    if allocation == "uniform":
        return math.prod(shape)
    if allocation == "er":
        return (into + out) * math.prod(kernel)
    if allocation == "erk":
        return into + out + sum(kernel)
    vertices = out + into * math.prod(kernel)
    return vertices * math.log(vertices)
