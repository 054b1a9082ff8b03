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

import numpy as np
import torch

from pruneexp.graphs.bipartite import components, sparse


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
    if not bool(torch.isfinite(weights).all()) or bool((weights < 0).any()):
        raise ValueError("scores must be finite and non-negative")
    if weights.shape[0] < weights.shape[1]:
        return leverage_scores(weights.T).T
    if bool((weights > 0).all()):
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


def _connected(weights: torch.Tensor) -> torch.Tensor:
    """The leverages of one connected graph whose larger side is the rows."""
    degree = weights.sum(dim=1)
    walk = weights / degree[:, None]
    coupling = weights.T @ walk
    # C is a Laplacian: taking its diagonal from its off-diagonals keeps the row sums zero to the last digit, where
    # D_R - S^T P would lose a weakly connected vertex in the cancellation
    coupling = (coupling + coupling.T).div_(2).fill_diagonal_(0.0)
    inverse = _grounded_inverse(coupling)
    if inverse is None:
        resistance = _distances(coupling, walk)
    else:
        through = walk @ inverse
        resistance = through.mul(walk).sum(dim=1)[:, None] + inverse.diagonal()
        resistance.sub_(through, alpha=2)
    # the quadratic form is never negative, and with it Reff >= 1/d_u: rounding must not take a tiny leverage to zero
    return resistance.clamp_(min=0.0).add_((1 / degree)[:, None]).mul_(weights).clamp_(max=1.0)


def _grounded_inverse(coupling: torch.Tensor) -> torch.Tensor | None:
    """A generalised inverse of the connected Laplacian with these off-diagonals: one vertex grounded.

    Grounding keeps the M-matrix structure, and with it the small entries' accuracy; adding a rank-one term, as is
    often done instead, mixes all magnitudes. The heaviest vertex is grounded, to be near every other. None where
    some vertex hangs on the ground so weakly that the formula's differences would lose digits.
    """
    degree = coupling.sum(dim=1)
    ground = int(degree.argmax())
    keep = (torch.arange(len(coupling), device=coupling.device) != ground).nonzero()[:, 0]
    inverse = torch.zeros_like(coupling)
    if len(keep):
        # Jacobi scaling leaves a unit diagonal whatever the scores' range
        scale = degree[keep].rsqrt()
        reduced = (-coupling[keep[:, None], keep] * scale[:, None] * scale).fill_diagonal_(1.0)
        factor, failed = torch.linalg.cholesky_ex(reduced)
        if bool(failed):
            return None
        scaled = torch.cholesky_inverse(factor)
        if bool(scaled.diagonal().max() > WEAKEST):
            return None
        inverse[keep[:, None], keep] = scaled * scale[:, None] * scale
    return inverse


WEAKEST = 1e4  # resistance to the ground times degree, up to which rounding stays below about 1e-11


def _distances(coupling: torch.Tensor, walk: torch.Tensor) -> torch.Tensor:
    """(p_u - e_v)^T C^+ (p_u - e_v) for all u, v without one cancellation: for scores with weak bridges.

    The Laplacian is eliminated without subtractions (Grassmann, Taksar & Heyman 1985), C = T D T^T with the pivots D
    summed from what is left of the couplings; then the form is |D^-1/2 T^-1 (p_u - e_v)|^2, a squared distance.
    Two to three times the cost of the usual way, and right to the last digits whatever the scores.
    """
    order = coupling.sum(dim=1).argsort()
    left = coupling[order[:, None], order]
    size = len(left)
    lower = torch.eye(size, dtype=left.dtype, device=left.device)
    pivot = torch.full((size,), torch.inf, dtype=left.dtype, device=left.device)
    for k in range(size - 1):
        rest = left[k, k + 1 :].clone()
        pivot[k] = rest.sum()
        lower[k + 1 :, k] = -rest / pivot[k]
        left[k + 1 :, k + 1 :] -= torch.outer(rest, lower[k + 1 :, k])
    solve = torch.linalg.solve_triangular(lower, torch.eye(size, dtype=left.dtype, device=left.device), upper=False)
    solve = solve / pivot.sqrt()[:, None]
    return torch.cdist(walk[:, order] @ solve.T, solve.T, compute_mode="donot_use_mm_for_euclid_dist").square()[
        :, order.argsort()
    ]
