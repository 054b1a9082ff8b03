"""Draws of exactly m edges from inclusion probabilities."""

import math

import numpy as np

from pruneexp.graphs.inclusion import inclusion_probabilities


def systematic(probabilities: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random-order systematic sampling: exactly m = sum p distinct edges, each with probability exactly p_e.

    Certain edges (p = 1) are taken; the others are laid end to end in random order on a line of integer length, and
    those that contain one of the points u, u+1, u+2, ... are taken, u uniform in [0, 1) (Madow 1949; Hartley & Rao 1962).

    Args:
        probabilities: in [0, 1], any shape, summing to an integer m up to rounding.

    Returns:
        bool array of the same shape with exactly m True.
    """
    from pruneexp.graphs.madow import mark  # numba, which whoever only plans or reads has no need of

    flat = probabilities.ravel()
    chosen = flat >= 1.0 - 1e-12
    remainder = round(float(flat.sum())) - int(np.count_nonzero(chosen))
    undecided = flat > 0
    undecided &= ~chosen
    mark(flat, undecided, remainder, rng, chosen)
    return chosen.reshape(probabilities.shape)


def independent_then_fill(weights: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """The paper's draw: slightly fewer than m edges independently, then uniformly random ones up to m.

    The expected number of independent draws is m - 3 sd, sd the draw's standard deviation; an overshoot is redrawn
    (Laenen 2023, appendix A, "slightly below q, and then we randomly choose"). Edges of zero weight are never taken.

    Args:
        weights: q_e >= 0, any shape; p_e = min(1, eps q_e).
        count: m, at most the number of positive weights.

    Returns:
        bool array of the same shape with exactly m True.
    """
    p = inclusion_probabilities(weights, count)
    below = max(count - 3 * math.sqrt(float((p * (1 - p)).sum())), 0.0)
    p = inclusion_probabilities(weights, below)
    chosen = rng.random(p.shape) < p
    while np.count_nonzero(chosen) > count:
        chosen = rng.random(p.shape) < p
    open_edges = np.flatnonzero((weights > 0) & ~chosen)
    missing = count - np.count_nonzero(chosen)
    chosen.ravel()[rng.choice(open_edges, size=missing, replace=False, shuffle=False)] = True
    return chosen
