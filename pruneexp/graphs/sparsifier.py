"""How good a spectral sparsifier a reweighted draw is."""

import math

import numpy as np
import scipy.linalg
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from pruneexp.graphs.bipartite import components, sparse

DENSE = 400  # vertices up to which the pencil's eigenvalues are computed densely


def epsilon(weights: np.ndarray, reweighted: np.ndarray) -> float:
    """The smallest e with (1-e) x'Lx <= x'L_H x <= (1+e) x'Lx for all x (Laenen 2023, Definition 2.2).

    From the extreme eigenvalues of the pencil (L_H, L), both Laplacians grounded at one vertex, which changes no quotient. By
    Lanczos above 400 vertices, where it converges: L is then solved through its Schur complement on the smaller side.

    Args:
        weights: [L, R] >= 0, the bipartite graph; of several components the worst counts.
        reweighted: [L, R] >= 0, of the draw: w_e / p_e where drawn, else zero.

    Returns:
        max(1 - smallest, largest - 1); at least 1 where the draw disconnects a component; NaN without an edge.
    """
    number, left, right = components(sparse(weights))
    return max(
        (_connected(weights[left == k][:, right == k], reweighted[left == k][:, right == k]) for k in range(number)),
        default=math.nan,
    )


def _connected(a: np.ndarray, b: np.ndarray) -> float:
    """epsilon of one component."""
    a, b = (np.asarray(m, dtype=np.float64) for m in (a, b))
    if not b.any():
        return 1.0
    if a.shape[0] < a.shape[1]:
        a, b = a.T, b.T
    low, high = _dense(a, b) if sum(a.shape) <= DENSE else _extremes(a, b)
    return float(max(1 - low, high - 1))


def _dense(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Smallest and largest eigenvalue of (L_b, L_a), the first vertex grounded."""
    values = scipy.linalg.eigh(_laplacian(b)[1:, 1:], _laplacian(a)[1:, 1:], eigvals_only=True)
    return float(values[0]), float(values[-1])


def _laplacian(weights: np.ndarray) -> np.ndarray:
    left = len(weights)
    adjacency = np.zeros((sum(weights.shape),) * 2)
    adjacency[:left, left:] = weights
    adjacency[left:, :left] = weights.T
    return np.asarray(np.diag(adjacency.sum(axis=1)) - adjacency)


def _extremes(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """The same by Lanczos, the last vertex on the right grounded; densely where it does not converge."""
    left, right = a.shape[0], a.shape[1] - 1
    degree = {id(m): (m.sum(axis=1), m.sum(axis=0)[:-1]) for m in (a, b)}

    def product(m: np.ndarray, x: np.ndarray) -> np.ndarray:
        x = x.ravel()
        u, v = x[:left], x[left:]
        d_u, d_v = degree[id(m)]
        return np.concatenate([d_u * u - m[:, :-1] @ v, d_v * v - m[:, :-1].T @ u])

    d_u, d_v = degree[id(a)]
    schur = np.diag(d_v) - a[:, :-1].T @ (a[:, :-1] / d_u[:, None])
    factor = scipy.linalg.cho_factor(schur)

    def solve(x: np.ndarray) -> np.ndarray:
        x = x.ravel()
        v = scipy.linalg.cho_solve(factor, x[left:] + a[:, :-1].T @ (x[:left] / d_u))
        return np.concatenate([(x[:left] + a[:, :-1] @ v) / d_u, v])

    size = (left + right,) * 2
    operators = [
        LinearOperator(size, matvec=matvec, dtype=np.float64)
        for matvec in (lambda x: product(b, x), lambda x: product(a, x), solve)
    ]
    start = np.random.default_rng(0).standard_normal(left + right)
    try:
        values = [
            eigsh(
                operators[0],
                k=1,
                M=operators[1],
                Minv=operators[2],
                which=which,
                v0=start,
                tol=1e-6,
                return_eigenvectors=False,
            )[0]
            for which in ("SA", "LA")
        ]
    except ArpackNoConvergence:
        return _dense(a, b)
    assert all(math.isfinite(value) for value in values)
    return float(values[0]), float(values[1])
