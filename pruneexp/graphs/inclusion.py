"""Inclusion probabilities of Sparsify: p_e = min(1, eps * q_e) with sum_e p_e = m, exactly.

Laenen (2023, appendix A) samples an edge of layer i with p_e = min(1, 5 ln(n_i) l_e eps), one eps for the whole network,
and chooses eps to hit a density. sum_e min(1, eps q_e) grows with eps and is linear between the points 1/q_e, so
the eps wanted is read off the sorted q: with the k largest edges certain, eps = (m - k) / (sum of the others), and k is the smallest number
for which the next edge's eps * q stays below one.
"""

import math

import numpy as np


def sampling_weight(leverages: np.ndarray) -> np.ndarray:
    """q_e = 5 ln(n) l_e of one layer [L, R], n its vertices with an edge (natural logarithm; Laenen 2023, appendix A)."""
    vertices = int(leverages.any(axis=0).sum()) + int(leverages.any(axis=1).sum())
    return 5 * math.log(max(vertices, 1)) * leverages


def inclusion_probabilities(weights: np.ndarray, count: float) -> np.ndarray:
    """min(1, eps * weights) summing to `count`.

    Args:
        weights: q_e >= 0, any shape, float64; at least `count` of them positive.
        count: the number m of edges wanted, 0 <= m <= number of positive weights (need not be an integer).

    Raises:
        ValueError: fewer than `count` weights are positive.

    >>> inclusion_probabilities(np.array([8.0, 1.0, 1.0]), 2)
    array([1. , 0.5, 0.5])
    """
    positive = np.count_nonzero(weights)
    if not 0 <= count <= positive:
        raise ValueError(f"cannot include {count} of {positive} edges with a positive weight")
    if count == positive:
        return (weights > 0).astype(np.float64)
    flat = weights.ravel()
    # only the largest floor(m) can be certain: sort those, and sum the rest once
    candidates = math.floor(count) + 1
    split = np.partition(flat, len(flat) - candidates) if candidates < len(flat) else np.sort(flat)
    top = np.sort(split[len(flat) - candidates :])[::-1]
    rest = split[: len(flat) - candidates].sum()
    remaining = rest + np.cumsum(top[::-1])[::-1]
    eps = (count - np.arange(candidates)) / remaining
    # with all but m - 1 certain, the rest is never empty; where rounding says otherwise, the m-th is as good as certain
    certain = min(int(np.argmax(eps * top < 1)), max(math.ceil(count) - 1, 0))
    return np.minimum(1.0, eps[certain] * weights)
