"""Twice-Ramanujan sparsifiers: edges chosen without chance, by barrier functions (Batson, Spielman & Srivastava 2012).

With v_e = sqrt(w_e) (L^+)^(1/2) b_e, so that sum_e v_e v_e^T is the identity on the graph's space of dimension n, edges are
picked one at a time into A = sum s_e v_e v_e^T while two barriers, l below and u above the spectrum of A, move up in fixed
steps. With M_u = (u I - A)^-1 after the step, and M_l = (A - l I)^-1, an edge may be picked with weight s when

    v^T M_u^2 v / (change of tr M_u) + v^T M_u v  <=  1/s  <=  v^T M_l^2 v / (change of tr M_l) - v^T M_l v,

and there always is one (their Lemmas 3.3 to 3.5). After d n picks the ends of A's spectrum have a ratio of at most
((sqrt(d) + 1) / (sqrt(d) - 1))^2, which a (d+1)-regular Ramanujan graph reaches with half as many edges: hence the name.

Laenen (2023, section 2.2) calls this hard to implement. Nothing of size n x n is formed here: v^T (u I - A)^-1 v =
w_e b_e^T (u L - L_A)^+ b_e, the matrix in it is that of a bipartite graph, and its Schur complement on the smaller side
gives the form for all edges with two matrix products, as for leverage scores; the squared form takes four more.
"""

import math
from typing import NamedTuple

import numpy as np
import scipy.linalg


class Forms(NamedTuple):
    """w_e b_e^T B^+ b_e and w_e b_e^T B^+ L B^+ b_e for every edge, [L, R]; the second only where asked for."""

    first: np.ndarray
    second: np.ndarray


def bss_sparsifier(weights: np.ndarray, count: int, batch: int = 1) -> np.ndarray:
    """Edge weights of a graph H with at most `count` edges and (1-e) x'Lx <= x'L_H x <= (1+e) x'Lx, e = 2 sqrt(d) / (d+1).

    Args:
        weights: [L, R] >= 0, float64, connected, every vertex with an edge.
        count: picks, at least the number of vertices n + 1; d = count / n. An edge can be picked more than once.
        batch: most picks between two updates of the barriers. 1 is the algorithm. More is faster: the batch is the edges
            with the widest margin between the two sides, each once. The proof says nothing of batches, so each is checked: one
            after which a barrier is broken or a trace has grown, the proof's invariant, is undone and halved (a single pick
            always holds), and the next are doubled again.

    Returns:
        float64 [L, R], s_e w_e scaled to the middle of the barriers; zero where never picked.

    Raises:
        ValueError: fewer picks than vertices.
        LinAlgError: rounding broke a barrier: the weights range too widely.
    """
    if weights.shape[0] < weights.shape[1]:
        return bss_sparsifier(weights.T, count, batch).T
    n = sum(weights.shape) - 1
    if count <= n:
        raise ValueError(f"{count} picks are fewer than the {n + 1} vertices")
    d = count / n
    step_l, step_u = 1.0, (math.sqrt(d) + 1) / (math.sqrt(d) - 1)
    lower, upper = -n * math.sqrt(d), n * (d + math.sqrt(d)) / (math.sqrt(d) - 1)
    picked = np.zeros_like(weights)  # s_e w_e: the weights of L_A
    total_u, total_l = (_forms(weights, b).first.sum() for b in (upper * weights - picked, picked - lower * weights))
    bound_u, bound_l = total_u * (1 + 1e-9), total_l * (1 + 1e-9)  # the traces never grow: the proof's invariant
    done, size = 0, batch
    while done < count:
        size = min(size, count - done, len(weights))
        lower_next, upper_next = lower + size * step_l, upper + size * step_u
        try:
            forms_u = _forms(weights, upper_next * weights - picked, second=True)
            forms_l = _forms(weights, picked - lower_next * weights, second=True)
            # the barriers' step buys a change of the traces, of which each pick of the batch may use its share
            cost_u = forms_u.second * size / (total_u - forms_u.first.sum()) + forms_u.first
            cost_l = forms_l.second * size / (forms_l.first.sum() - total_l) - forms_l.first
            chosen = _spread(np.where(weights > 0, cost_l - cost_u, -np.inf), size)
            trial = picked.copy()
            trial.ravel()[chosen] += 2 * weights.ravel()[chosen] / (cost_u + cost_l).ravel()[chosen]
            next_u = _forms(weights, upper_next * weights - trial).first.sum()
            next_l = _forms(weights, trial - lower_next * weights).first.sum()
            within = next_u <= bound_u and next_l <= bound_l
        except np.linalg.LinAlgError:
            if size == 1:
                raise
            within = False
        if not within and size > 1:
            size //= 2
            continue
        picked, total_u, total_l, lower, upper = trial, next_u, next_l, lower_next, upper_next
        done, size = done + size, min(2 * size, batch)
    return np.asarray(picked * (2 / (lower + upper)))


def _spread(margin: np.ndarray, size: int) -> np.ndarray:
    """Flat indices of `size` edges with wide margins, as few as possible at one vertex.

    One edge for each left vertex, its widest; of these the widest for each right vertex first, then the second widest ...
    """
    if size == 1:
        return np.array([margin.argmax()])
    best = margin.argmax(axis=1)
    order = np.argsort(-margin[np.arange(len(margin)), best], kind="stable")
    columns = best[order]
    by_column = np.argsort(columns, kind="stable")
    starts = np.searchsorted(columns[by_column], columns[by_column])
    rank = np.empty(len(order), dtype=np.int64)
    rank[by_column] = np.arange(len(order)) - starts
    rows = order[np.argsort(rank, kind="stable")[:size]]
    return np.asarray(rows * margin.shape[1] + best[rows])


def _forms(weights: np.ndarray, b: np.ndarray, second: bool = False) -> Forms:
    """The forms of B, the Laplacian with edge weights `b` of either sign, positive definite on the graph's space.

    The right vertex of the largest degree is grounded, which changes no form.

    Raises:
        LinAlgError: B is not positive definite: a barrier is broken.
    """
    degree_u, degree_v = b.sum(axis=1), b.sum(axis=0)
    if not (degree_u > 1e-200 * degree_u.max()).all():
        raise np.linalg.LinAlgError("a barrier is broken")
    walk = b / degree_u[:, None]
    schur = np.diag(degree_v) - b.T @ walk
    free = np.arange(len(schur)) != degree_v.argmax()
    z = np.zeros_like(schur)
    if free.any():
        factor = scipy.linalg.cho_factor(schur[free][:, free])
        z[np.ix_(free, free)] = scipy.linalg.cho_solve(factor, np.eye(int(free.sum())))
    g_uv = walk @ z
    own = (1 / degree_u + (g_uv * walk).sum(axis=1))[:, None] + z.diagonal()
    first = weights * (own - 2 * g_uv)
    if not second:
        return Forms(first, first)
    # columns of B^+ that belong to the right side, and L times them
    h_uv = weights.sum(axis=1)[:, None] * g_uv - weights @ z
    h_vv = weights.sum(axis=0)[:, None] * z - weights.T @ g_uv
    n_vv = g_uv.T @ h_uv + z @ h_vv
    through = walk @ n_vv
    n_uv = h_uv / degree_u[:, None] + through
    n_uu = (
        weights.sum(axis=1) / degree_u / degree_u
        + 2 / degree_u * (h_uv * walk).sum(axis=1)
        + (through * walk).sum(axis=1)
    )
    return Forms(first, weights * (n_uu[:, None] + n_vv.diagonal() - 2 * n_uv))
