"""Counts in proportion to shares of the layers, none above what a layer has."""

from collections.abc import Callable, Sequence

import numpy as np

from pruneexp.layers import Layer, apportion, capacities

Share = Callable[[tuple[int, ...]], float]  # of a weight [C_out, C_in, K_h, K_w], or [out, in] of Linear, where K = 1


def of_shapes(layers: Sequence[Layer], count: int, share: Share, least: np.ndarray | None = None) -> np.ndarray:
    """`in_proportion` to a share of each layer's shape."""
    return in_proportion(layers, count, np.array([share(tuple(layer.score.shape)) for layer in layers]), least)


def in_proportion(
    layers: Sequence[Layer], count: int, shares: np.ndarray, least: np.ndarray | None = None
) -> np.ndarray:
    """Whole numbers summing to `count`: min(capacity, max(least, eps * share)) of each layer, one eps for all.

    A layer whose share exceeds its capacity keeps all of it, and the others share what that leaves, exactly.

    Args:
        layers: capacity is what earlier rounds left available.
        count: at most the capacities' sum.
        shares: positive [layers].
        least: int [layers], no larger than the capacities, summing to at most `count`; 0 if left out.

    Returns:
        int64 [layers].
    """
    capacity = capacities(layers)
    floor = np.zeros_like(capacity) if least is None else least
    # the total grows with eps and is linear between the points where a layer leaves its floor or reaches its capacity
    points = np.sort(np.concatenate([floor / shares, capacity / shares]))
    totals = np.clip(points[:, None] * shares, floor, capacity).sum(axis=1)
    eps = np.interp(count, totals, points)
    return apportion(np.clip(eps * shares, floor, capacity), capacity)
