"""Inclusion probabilities of Sparsify: p_e = min(1, eps * q_e) with sum_e p_e = m, exactly.

Laenen (2023, appendix A) samples an edge of layer i with p_e = min(1, 5 ln(n_i) l_e eps), one eps for the whole network,
and chooses eps to hit a density. sum_e min(1, eps q_e) grows with eps and is linear between the points 1/q_e, so
the eps wanted is read off the sorted q: with the k largest edges certain, eps = (m - k) / (sum of the others), and k is the smallest number
for which the next edge's eps * q stays below one.
"""

import math

import numpy as np


def sampling_weight(leverages: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """q_e = 5 ln(n) l_e of one layer [L, R], n its vertices with an edge (natural logarithm; Laenen 2023, appendix A); into `out`."""
    vertices = sum(int(np.count_nonzero(leverages.max(axis=side, initial=0.0))) for side in (0, 1))
    return np.multiply(5 * math.log(max(vertices, 1)), leverages, out=out)


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
    positive = np.count_nonzero(weights != 0)  # faster than of the numbers themselves
    if not 0 <= count <= positive:
        raise ValueError(f"cannot include {count} of {positive} edges with a positive weight")
    if count == positive:
        return (weights > 0).astype(np.float64)
    flat = weights.ravel()
    # only the largest floor(m) can be certain: sort those, and sum the rest once
    candidates = math.floor(count) + 1
    found = flat.astype(np.float64)  # a copy to sort in, and then for the result
    if candidates < len(flat):
        found.partition(len(flat) - candidates)
    top = np.sort(found[len(flat) - candidates :])[::-1]
    rest = found[: len(flat) - candidates].sum()
    remaining = rest + np.cumsum(top[::-1])[::-1]
    eps = (count - np.arange(candidates)) / remaining
    # with all but m - 1 certain, the rest is never empty; where rounding says otherwise, the m-th is as good as certain
    certain = min(int(np.argmax(eps * top < 1)), max(math.ceil(count) - 1, 0))
    np.multiply(flat, eps[certain], out=found)
    return np.minimum(found, 1.0, out=found).reshape(weights.shape)
