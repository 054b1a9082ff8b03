"""The largest eigenvalues of a graph's weighted adjacency matrix and of its Laplacian, by products alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pruneexp.errors import UserError
from pruneexp.topology.adjacency import Adjacency
from pruneexp.topology.lanczos import Pair, Product, largest

DENSE = 400  # nodes up to which a dense solver is exact and fast
TOLERANCE = 1e-6  # of the largest eigenvalue, for the residuals
AIM = TOLERANCE / 4  # an eigenvalue's error is the residual's square over the distance to the next


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues of a symmetric matrix, with multiplicity.

    Attributes:
        values: float64 [k], in descending order, or that of their magnitudes.
        residual: the largest ||M v - lambda v|| of their unit vectors, over the largest |lambda|.
    """

    values: np.ndarray
    residual: float


@dataclass(frozen=True)
class _Scaled:
    """S A S of a diagonal S, on the same sides as A."""

    matrix: Adjacency
    scale: np.ndarray

    def __call__(self, x: np.ndarray, side: bool | None = None) -> np.ndarray:
        image = self.matrix(self.scale * x, side)
        image *= self.scale
        return image

    @property
    def sides(self) -> np.ndarray | None:
        return self.matrix.sides


def adjacency_spectrum(matrix: Adjacency) -> Spectrum:
    """The two largest eigenvalues of the undirected weighted adjacency matrix A."""
    if matrix.nodes <= DENSE:
        return Spectrum(_dense(matrix, matrix.nodes)[:2], 0.0)
    return _checked(matrix, _largest(matrix, [_start(matrix.nodes, number) for number in range(2)], AIM))


def magnitude_spectrum(matrix: Adjacency) -> Spectrum:
    """A's three eigenvalues of largest magnitude; of two sides each is there with both signs."""
    if matrix.nodes <= DENSE:
        values = _dense(matrix, matrix.nodes)
        return Spectrum(values[np.argsort(-abs(values), kind="stable")][:3], 0.0)
    if matrix.sides is not None:
        found = adjacency_spectrum(matrix)
        return Spectrum(found.values[[0, 0, 1]] * [1, -1, 1], found.residual)
    pairs: list[Pair] = []
    for number in range(3):
        pairs.append(largest(matrix, _start(matrix.nodes, number), AIM, pairs, magnitude=True))
    return _checked(matrix, pairs)


def laplacian_spectrum(matrix: Adjacency, degree: np.ndarray) -> Spectrum:
    """The largest eigenvalue of the weighted Laplacian L = D - A.

    (D - A) y = lambda y is -A y = (lambda - D) y: of -S A S with S = (lambda - D)^-1/2 the largest eigenvalue is 1 there, for lambda
    is more than every degree, and its others are further away than those of L. From a smaller value, still more
    than every degree, the vector x of that matrix leads to y = S x, whose Rayleigh quotient is a better one, with an error that
    is squared each time.

    Args:
        matrix: A, with an edge.
        degree: the diagonal of D, float64 [nodes].

    Raises:
        UserError: no convergence.
    """

    def multiply(x: np.ndarray) -> np.ndarray:
        return degree * x - matrix(x)

    if matrix.nodes <= DENSE:
        return Spectrum(_dense(multiply, matrix.nodes)[:1], 0.0)
    hub = np.zeros(matrix.nodes)
    hub[degree.argmax()] = 1.0
    value, _ = largest(multiply, hub, 1e-2)
    x = _start(matrix.nodes, 0)
    for tolerance in np.geomspace(1e-2, 1e-10, 9):
        scale = 1 / np.sqrt(value - degree)
        ((_, x),) = _largest(_Scaled(matrix, scale), [x], tolerance, -1)
        y = scale * x
        y /= np.linalg.norm(y)
        image = multiply(y)
        found = float(y @ image)
        # of a value as near as that: from one that is far away another component's vector could come out on top
        if np.linalg.norm(image - found * y) <= AIM * found and found - value <= AIM * found:
            return _checked(multiply, [(found, y)])
        value = max(value, found)
        x = y * np.sqrt(value - degree)
    raise UserError("the spectrum has not converged: its largest eigenvalues are too close to each other.")


def _largest(
    matrix: "Adjacency | _Scaled", starts: Sequence[np.ndarray], tolerance: float, sign: int = 1
) -> list[Pair]:
    """The largest eigenvalues of M, or of -M, with their unit vectors: one from each start, which sees but one of a multiple eigenvalue.

    Where all edges join two sides, M = [0, B; B^T, 0] and its eigenvalues are B's singular values with both signs: their squares are
    those of B^T B, on half the nodes, and twice as far apart.
    """
    found: list[Pair] = []
    sides = matrix.sides
    if sides is None:
        for start in starts:
            found.append(largest(matrix if sign == 1 else lambda x: -matrix(x), start, tolerance, found))
        return found
    side = bool(2 * sides.sum() <= len(sides))  # the smaller one, if it has so many eigenvalues
    if (sides == side).sum() < len(starts):
        side = not side
    own = np.flatnonzero(sides == side)

    def across(x: np.ndarray) -> np.ndarray:
        whole = np.zeros(len(sides))
        whole[own] = x
        return matrix(whole, side=not side)

    for start in starts:
        found.append(largest(lambda x: matrix(across(x), side=side)[own], start[own], tolerance, found, squares=True))
    pairs = []
    for square, x in found:
        vector = np.zeros(len(sides))
        if square > 1e-13 * found[0][0]:  # else rounding: zero, as far as the tolerance tells
            vector = sign * across(x) / square**0.5
        vector[own] = x
        pairs.append((max(square, 0.0) ** 0.5, vector / np.linalg.norm(vector)))
    return pairs


def _checked(multiply: Product, pairs: Sequence[Pair]) -> Spectrum:
    """Their Rayleigh quotients and residuals.

    Raises:
        UserError: no convergence.
    """
    values, residuals = [], []
    for _, vector in pairs:
        image = multiply(vector)
        values.append(float(vector @ image))
        residuals.append(float(np.linalg.norm(image - values[-1] * vector)))
    residual = max(residuals) / max(map(abs, values))
    if residual > TOLERANCE:
        raise UserError(f"the spectrum has not converged: residual {residual:.1e} of the largest eigenvalue.")
    return Spectrum(np.array(sorted(values, key=abs, reverse=True)), residual)


def _start(nodes: int, number: int) -> np.ndarray:
    return np.random.default_rng(number).standard_normal(nodes)


def _dense(multiply: Product, size: int) -> np.ndarray:
    """All eigenvalues in descending order."""
    return np.linalg.eigvalsh(np.column_stack([multiply(column) for column in np.eye(size)]))[::-1]
