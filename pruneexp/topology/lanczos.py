"""The largest eigenvalue of a symmetric matrix and its vector by Lanczos' recurrence."""

from collections.abc import Callable, Sequence

import numba
import numpy as np
import scipy.linalg
from scipy.linalg.blas import daxpy

from pruneexp.errors import UserError

KEPT = 2**27  # bytes of the recurrence's vectors that are kept; later ones are made twice
STEPS = 20_000
CHECKED = 4  # steps from one look at the residual to the next

Product = Callable[[np.ndarray], np.ndarray]
Pair = tuple[float, np.ndarray]  # an eigenvalue and its unit vector


def largest(
    multiply: Product,
    start: np.ndarray,
    tolerance: float,
    found: Sequence[Pair] = (),
    magnitude: bool = False,
    squares: bool = False,
) -> Pair:
    """The largest eigenvalue of M on the vectors orthogonal to those found, and its unit vector x.

    With alpha_k = v_k . M v_k, and beta_k the norm of M v_k - alpha_k v_k - beta_k-1 v_k-1, which is v_k+1 but for its length, M is
    tridiagonal on the v_k; beta_k times the last element of that matrix' eigenvector is the norm of M x - lambda x, x being the sum of
    the v_k with its elements as weights (Paige 1980). Nothing is orthogonalised again: what is found is taken out of each v_k,
    and one eigenvector needs no more until it has converged to rounding, before which the recurrence ends. The v_k
    that are kept for x are float32, whose rounding adds some 1e-8 lambda to that norm.

    Args:
        multiply: x -> M x, float64 [n].
        start: float64 [n].
        tolerance: of ||M x - lambda x||, over the largest of |lambda| and the eigenvalues found.
        found: eigenvalues and their unit vectors.
        magnitude: the eigenvalue of largest magnitude, of either sign.
        squares: M is B^T B, and the tolerance is of the singular value's pair of vectors, over the largest singular value: a residual r
            of lambda's vector is one of r / sqrt(2 lambda) there.

    Raises:
        UserError: no convergence.
    """

    def apart(x: np.ndarray) -> np.ndarray:
        for _, vector in found:
            x = daxpy(vector, x, a=-(vector @ x))
        return x

    scale = max((abs(value) for value, _ in found), default=0.0)
    v, old = apart(start.copy()), np.zeros_like(start)
    copied = _unit(v, float(np.linalg.norm(v)))
    most = max(48, KEPT // (4 * len(v)))
    kept: list[np.ndarray] = []
    later, alpha, beta = (v, old), [], [0.0]
    for k in range(1, STEPS + 1):
        if k <= most:
            kept.append(copied)
            later = v, old
        w = apart(multiply(v))
        weight, norm = _rest(w, v, old, beta[-1])
        alpha.append(weight)
        ended = norm <= 1e-14 * max(scale, abs(alpha[-1]), beta[-1]) or k == len(v)
        if ended or k % CHECKED == 0:
            value, weights = _extreme(np.array(alpha), np.array(beta[1:]), magnitude)
            largest_one = max(scale, abs(value))
            if ended or norm * abs(weights[-1]) <= tolerance * (
                (largest_one * abs(value)) ** 0.5 if squares else largest_one
            ):
                break
        beta.append(norm)
        copied = _unit(w, norm)
        v, old = w, v
    else:
        raise UserError("the spectrum has not converged: its largest eigenvalues are too close to each other.")
    x = np.zeros_like(start)
    for weight, one in zip(weights, kept, strict=False):
        _add(x, weight, one)
    v, old = later
    for k in range(len(kept), len(weights)):
        w = apart(multiply(v))
        _rest(w, v, old, beta[k - 1])
        w /= beta[k]
        v, old = w, v
        x += weights[k] * v
    return value, x / np.linalg.norm(x)


@numba.njit(cache=True, error_model="numpy", fastmath={"contract"})
def _unit(w, norm):  # type: ignore[no-untyped-def]
    """w becomes w / norm; and a copy of it, float32."""
    copied = np.empty(len(w), dtype=np.float32)
    for k in range(len(w)):
        w[k] /= norm
        copied[k] = w[k]
    return copied


@numba.njit(cache=True, fastmath={"contract"})
def _add(x, weight, one):  # type: ignore[no-untyped-def]
    for k in range(len(x)):
        x[k] += weight * one[k]


@numba.njit(cache=True, fastmath={"reassoc", "contract"})
def _rest(w, v, old, beta):  # type: ignore[no-untyped-def]
    """alpha = v . w; w becomes w - alpha v - beta old; and its norm."""
    alpha = 0.0
    for k in range(len(w)):
        alpha += v[k] * w[k]
    square = 0.0
    for k in range(len(w)):
        w[k] -= alpha * v[k] + beta * old[k]
        square += w[k] * w[k]
    return alpha, square**0.5


def _extreme(diagonal: np.ndarray, beside: np.ndarray, magnitude: bool) -> Pair:
    """The largest eigenvalue of a tridiagonal matrix, or that of largest magnitude, and its vector."""
    last = len(diagonal) - 1
    pairs = []
    for end in {last, 0} if magnitude else {last}:
        values, vectors = scipy.linalg.eigh_tridiagonal(diagonal, beside, select="i", select_range=(end, end))
        pairs.append((float(values[0]), vectors[:, 0]))
    return max(pairs, key=lambda pair: abs(pair[0]) if magnitude else pair[0])
