"""The largest eigenvalues of a graph's weighted adjacency matrix and of its Laplacian, without edges where they are many."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from pruneexp.errors import UserError
from pruneexp.topology.edges import listed
from pruneexp.topology.encoding import Graph, Link

MOST_EDGES = 30_000_000  # of a matrix in memory; beyond, products are convolutions
DENSE = 400  # nodes up to which a dense solver is exact and fast
TOLERANCE = 1e-6  # of the largest eigenvalue, for the residuals

Product = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Spectrum:
    """The largest algebraic eigenvalues of a symmetric matrix, in descending order, with multiplicity.

    Attributes:
        values: float64 [k].
        residual: the largest ||M v - lambda v|| of them, over the largest |lambda|.
    """

    values: np.ndarray
    residual: float


def adjacency_spectrum(product: Product, nodes: int) -> Spectrum:
    """The two largest eigenvalues of the undirected weighted adjacency matrix A, by x -> A x."""
    return _largest(product, nodes, 2)


def laplacian_spectrum(product: Product, degree: np.ndarray) -> Spectrum:
    """The largest eigenvalue of the weighted Laplacian D - A.

    Args:
        product: x -> A x.
        degree: the diagonal of D, float64 [nodes].
    """
    return _largest(lambda x: degree * x - product(x), len(degree), 1)


def adjacency(graph: Graph, device: str = "cpu", most: int = MOST_EDGES) -> Product:
    """x -> A x in float64, by a sparse matrix up to `most` edges, by the layers' convolutions beyond and on a GPU."""
    if device == "cpu" and graph.edges <= most:
        source, target, weight = listed(graph)
        forward = sp.csr_array(
            (weight, (target.astype(np.int32), source.astype(np.int32))), shape=(graph.nodes, graph.nodes)
        )
        backward = forward.T.tocsr()
        return lambda x: forward @ x + backward @ x
    steps = [_Step(link, graph, device) for link in graph.links]

    def multiply(x: np.ndarray) -> np.ndarray:
        values = torch.from_numpy(np.ascontiguousarray(x)).to(device)
        result = torch.zeros_like(values)
        for step in steps:
            step.add(values, result)
        return np.asarray(result.cpu().numpy())

    return multiply


class _Step:
    """One link's share of A x, both ways.

    As matrices: the source's rows are spread over the kernel by the rows' relation, then its columns, then the weight
    contracts channels and kernel. Each is a small dense product, whatever strides, padding and pools there are.
    """

    def __init__(self, link: Link, graph: Graph, device: str) -> None:
        self.source, self.target = (
            (slice(*graph.offsets[p : p + 2].tolist()), graph.shapes[p]) for p in (link.source, link.target)
        )
        self.weight = torch.from_numpy(link.weight).to(device)
        self.rows, self.columns = (
            _spread(relation, before, kernel, after, device)
            for relation, before, kernel, after in zip(
                (link.rows, link.columns), self.source[1][1:], link.weight.shape[2:], self.target[1][1:], strict=True
            )
        )

    def add(self, x: torch.Tensor, result: torch.Tensor) -> None:
        (here, shape), (there, shape2) = self.source, self.target
        kernel = range(self.weight.shape[2]), range(self.weight.shape[3])
        forward, backward = x[here].reshape(shape), x[there].reshape(shape2)
        ahead, back = result[there].reshape(shape2), result[here].reshape(shape)
        for i in kernel[0]:
            # [C, H', W] and [C', H, W']: rows first, once for all columns of the kernel
            down = torch.einsum("cyx,zy->czx", forward, self.rows[i])
            up = torch.einsum("czx,zy->cyx", backward, self.rows[i])
            for j in kernel[1]:
                weight = self.weight[:, :, i, j]
                ahead += torch.einsum("oc,cp->op", weight, (down @ self.columns[j].T).flatten(1)).reshape(shape2)
                back += torch.einsum("oc,op->cp", weight, (up @ self.columns[j]).flatten(1)).reshape(shape)


def _spread(relation: np.ndarray, before: int, kernel: int, after: int, device: str) -> torch.Tensor:
    """float64 [kernel, after, before]: 1 where position y leads to y' through the kernel's index."""
    result = torch.zeros(kernel, after, before, dtype=torch.float64)
    for y, k, z in relation.tolist():
        result[k, z, y] += 1
    return result.to(device)


def _largest(multiply: Product, nodes: int, count: int) -> Spectrum:
    """By Lanczos from a fixed start, one eigenvalue at a time; dense where small.

    Lanczos sees only one vector of a multiple eigenvalue's space: the next one is sought with those found moved to the other end of
    the spectrum, from another start.

    Raises:
        UserError: no convergence.
    """
    if nodes <= DENSE:
        matrix = np.column_stack([multiply(column) for column in np.eye(nodes)])
        return Spectrum(np.linalg.eigvalsh(matrix)[::-1][:count], 0.0)
    found: list[tuple[float, np.ndarray]] = []
    residual, scale = 0.0, float(np.finfo(float).tiny)

    def deflated(x: np.ndarray) -> np.ndarray:
        x = x.ravel()
        return multiply(x) - sum(2 * value * (vector @ x) * vector for value, vector in found)

    for number in range(count):
        start = np.random.default_rng(number).standard_normal(nodes)
        operator = LinearOperator((nodes, nodes), matvec=deflated, dtype=np.float64)
        values, vectors = lanczos(operator, 1, "LA", start)
        value, vector = float(values[0]), vectors[:, 0]
        scale = max(scale, abs(value))
        residual = max(residual, float(np.linalg.norm(multiply(vector) - value * vector)) / scale)
        found.append((value, vector))
    if residual > TOLERANCE:
        raise UserError(f"the spectrum has not converged: residual {residual:.1e} of the largest eigenvalue.")
    return Spectrum(np.array([value for value, _ in found]), residual)


def lanczos(matrix: Any, count: int, which: str, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """scipy's eigsh, to half the tolerance.

    Raises:
        UserError: no convergence.
    """
    try:
        values, vectors = eigsh(matrix, k=count, which=which, v0=start, tol=TOLERANCE / 2, ncv=24, maxiter=4000)
    except ArpackNoConvergence as error:
        raise UserError(
            "the spectrum has not converged: its largest eigenvalues are too close to each other."
        ) from error
    return values, vectors
