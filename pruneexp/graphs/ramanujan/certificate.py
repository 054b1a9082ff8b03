"""A bipartite graph with the proof that it is Ramanujan, or the measure of how far it is from that."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import eigsh

from pruneexp.graphs.bipartite import components, sparse
from pruneexp.graphs.spectrum import top_singular_values

DENSE = 4000  # vertices of the smaller side up to which all singular values are computed


@dataclass(frozen=True)
class RamanujanGraph:
    """A bipartite graph and its certificate.

    Attributes:
        name: of the construction, with its parameters.
        biadjacency: [rows, columns] 0/1, float64 CSR.
        sigma1, sigma2: its largest singular values.
        residual: of Lanczos' method, an upper bound on sigma2's error; 0 where a dense solver found it.
        components: of the graph, isolated vertices not counted.
        closed_form: sigma2 as the construction's theory has it, None where it has none.
    """

    name: str
    biadjacency: sp.csr_array
    sigma1: float
    sigma2: float
    residual: float
    components: int
    closed_form: float | None = None

    @cached_property
    def row_degrees(self) -> np.ndarray:
        """int64 [rows]"""
        return np.diff(self.biadjacency.indptr).astype(np.int64)

    @cached_property
    def column_degrees(self) -> np.ndarray:
        """int64 [columns]"""
        return np.bincount(self.biadjacency.indices, minlength=self.biadjacency.shape[1])

    @property
    def degrees(self) -> tuple[float, float]:
        """Mean degrees (rows, columns)."""
        return float(self.row_degrees.mean()), float(self.column_degrees.mean())

    @property
    def bound(self) -> float:
        """sqrt(d_1 - 1) + sqrt(d_2 - 1) with mean degrees: no larger than the universal cover's spectral radius (Hoory 2005)."""
        return _bound(*self.degrees)

    @property
    def bound_of_minimum_degrees(self) -> float:
        """The same with the smallest degree of each side."""
        return _bound(float(self.row_degrees.min()), float(self.column_degrees.min()))

    @property
    def ratio(self) -> float:
        """sigma2 / bound: at most 1 for a Ramanujan graph; infinite where no mean degree exceeds 1."""
        return self.sigma2 / self.bound if self.bound else math.inf

    @property
    def is_ramanujan(self) -> bool:
        """Connected, every degree at least 2, and sigma2 <= bound (up to rounding, 1e-9 of it)."""
        least = min(int(self.row_degrees.min()), int(self.column_degrees.min()))
        return self.components == 1 and least >= 2 and self.sigma2 + self.residual <= self.bound * (1 + 1e-9)

    def summary(self) -> dict[str, object]:
        """The certificate as plain values."""
        rows, columns = self.biadjacency.shape
        return {
            "graph": self.name,
            "rows": rows,
            "columns": columns,
            "edges": self.biadjacency.nnz,
            "density": self.biadjacency.nnz / (rows * columns),
            "row degrees": _span(self.row_degrees),
            "column degrees": _span(self.column_degrees),
            "components": self.components,
            "sigma1": self.sigma1,
            "sigma2": self.sigma2,
            "residual": self.residual,
            "closed form": self.closed_form,
            "bound": self.bound,
            "bound of minimum degrees": self.bound_of_minimum_degrees,
            "ramanujan": self.is_ramanujan,
        }


def certify(name: str, biadjacency: sp.sparray, closed_form: float | None = None) -> RamanujanGraph:
    """Measure a graph given by its 0/1 matrix.

    Up to 4000 vertices on the smaller side from a dense Gram matrix; above, by Lanczos' method, which finds the second largest
    singular value of a connected graph because the largest is simple.
    """
    matrix = sparse(biadjacency)
    number, _, _ = components(matrix)
    if min(matrix.shape) <= DENSE:
        sigma, residual = top_singular_values(matrix), 0.0
    else:
        sigma, residual = _lanczos(matrix)
    return RamanujanGraph(name, matrix, float(sigma[0]), float(sigma[1]), residual, number, closed_form)


def _lanczos(matrix: sp.csr_array) -> tuple[np.ndarray, float]:
    """The two largest singular values, and a bound on the second one's error."""
    wide = matrix if matrix.shape[0] >= matrix.shape[1] else sp.csr_array(matrix.T)
    gram = sp.csr_array(wide.T @ wide)
    start = np.random.default_rng(0).standard_normal(gram.shape[0])
    values, vectors = eigsh(gram, k=2, which="LA", v0=start, tol=1e-12)
    error = float(np.linalg.norm(gram @ vectors[:, 0] - values[0] * vectors[:, 0]))
    sigma = np.sqrt(np.maximum(values[::-1], 0.0))
    # |sigma^2 - s^2| <= error for some singular value s, so |sigma - s| is at most the root of it, and error / sigma
    return sigma, min(math.sqrt(error), error / float(sigma[1]) if sigma[1] else math.inf)


def _bound(first: float, second: float) -> float:
    return math.sqrt(max(first - 1, 0)) + math.sqrt(max(second - 1, 0))


def _span(degrees: np.ndarray) -> str:
    least, most = int(degrees.min()), int(degrees.max())
    return str(least) if least == most else f"{least} to {most}"
