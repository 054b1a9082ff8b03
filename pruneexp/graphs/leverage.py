"""Leverage scores of a layer's bipartite graph, exactly, through a Schur complement.

For the graph with edge weights S [L, R] and Laplacian D - A, the leverage of an edge is
l_uv = S_uv * Reff(u, v), Reff(u, v) = (e_u - e_v)^T (D - A)^+ (e_u - e_v): the probability that the edge lies in a
random spanning tree. Over the graph the leverages sum to (vertices with an edge) - (connected components)
(Spielman & Srivastava 2011; Laenen 2023, Algorithm 1).

No (L+R) x (L+R) pseudo-inverse is formed. With P = D_L^-1 S, eliminating the larger side L leaves the Laplacian
C = D_R - S^T P on the smaller one; with Z a generalised inverse of C and Q = P Z,

    Reff(u, v) = 1/d_u + sum_j (Q*P)_uj + Z_vv - 2 Q_uv.

Two matrix products and one R x R factorisation.
"""

import math

import numpy as np
import torch

from pruneexp.graphs.bipartite import components, sparse
from pruneexp.graphs.elimination import forms, grounded

STEPS = 3  # to the columns and back


def leverage_scores(scores: torch.Tensor) -> torch.Tensor:
    """Leverage of every edge of the bipartite graph with weights `scores`.

    Args:
        scores: [L, R], non-negative and finite, any real dtype, any device; a zero is no edge. Anything that
            `torch.as_tensor` takes will do.

    Returns:
        float64 [L, R] in [0, 1] on the same device, zero where there is no edge.

    Raises:
        ValueError: `scores` is not a matrix, or has a negative or non-finite entry.

    >>> leverage_scores(torch.ones(2, 2))       # a cycle of four edges: three of them span it
    tensor([[0.7500, 0.7500],
            [0.7500, 0.7500]], dtype=torch.float64)
    """
    weights = torch.as_tensor(scores).detach().to(torch.float64)
    if weights.ndim != 2:
        raise ValueError(f"scores must be a matrix [L, R], got shape {tuple(weights.shape)}")
    if weights.numel() == 0:
        return weights
    least, top = float(weights.amin()), float(weights.amax())
    if not 0 <= least <= top < math.inf:  # nor is NaN
        raise ValueError("scores must be finite and non-negative")
    if top > 0 and not 1e-250 < top < 1e250:  # leverages do not depend on the scale; keep sums and quotients in range
        scale = 2.0 ** (900 if top < 1 else -500)
        weights, least = weights * scale, least * scale
    if weights.shape[0] < weights.shape[1]:
        return leverage_scores(weights.T).T
    if least > 0:
        return _connected(weights)
    if _within_steps(weights):
        weights = weights.contiguous()
        return _connected(weights)
    leverages = torch.zeros_like(weights)
    number, left, right = components(sparse(weights))
    order_left, order_right = np.argsort(left, kind="stable"), np.argsort(right, kind="stable")
    cut = np.arange(number + 1)
    ends_left = np.searchsorted(left[order_left], cut)
    ends_right = np.searchsorted(right[order_right], cut)
    for k in range(number):
        rows = torch.as_tensor(order_left[ends_left[k] : ends_left[k + 1]], device=weights.device)
        columns = torch.as_tensor(order_right[ends_right[k] : ends_right[k + 1]], device=weights.device)
        block = weights[rows[:, None], columns]
        if len(rows) < len(columns):
            leverages[rows[:, None], columns] = _connected(block.T).T
        else:
            leverages[rows[:, None], columns] = _connected(block)
    return leverages


def _within_steps(weights: torch.Tensor) -> bool:
    """Whether every vertex is a few steps from the first row's, as in most layers with some zeros: then they are one component, and the
    search for components, which needs several times the memory of the weights, is spared."""
    rows = weights.new_zeros(len(weights))
    rows[0] = 1.0
    for _ in range(STEPS):
        columns = (rows @ weights > 0).to(weights.dtype)
        rows = (weights @ columns > 0).to(weights.dtype)
    return bool(rows.all()) and bool(columns.all())


def _connected(weights: torch.Tensor) -> torch.Tensor:
    """The leverages of one connected graph whose larger side is the rows.

    P is computed twice: of a layer of 20,000 x 20,000 weights each matrix is 3.2 GB, and this way four are enough at a time.
    """
    degree = weights.sum(dim=1)
    inverse, halved = grounded(_coupling(weights, degree), weights.amax(dim=0))
    found = forms(inverse, halved, weights / degree[:, None])
    del inverse
    if found.stride() != weights.stride():
        found = found.T.contiguous().T  # as the weights lie, mostly: one such copy is faster than products across
    # Reff >= 1/d_u: rounding does not take a tiny leverage to zero
    return found.add_((1 / degree)[:, None]).mul_(weights).clamp_(max=1.0)


def _coupling(weights: torch.Tensor, degree: torch.Tensor) -> torch.Tensor:
    """C's off-diagonals, without sign.

    C is a Laplacian: taking its diagonal from its off-diagonals keeps the row sums zero to the last digit, where D_R - S^T P would lose
    a weakly connected vertex in the cancellation.
    """
    coupling = weights.T @ (weights / degree[:, None])
    return (coupling + coupling.T).div_(2).fill_diagonal_(0.0)
