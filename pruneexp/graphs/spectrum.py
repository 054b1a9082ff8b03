"""Singular values of a layer's bipartite graph, and what is read off them.

Everything works on M [L, R], the biadjacency matrix of the kept weights (0/1 or |w|), float64. Singular values come
from the smaller side's Gram matrix, by a dense eigenvalue solver: exact for clusters too, which Lanczos can miss.
"""

import math
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import scipy.linalg
import scipy.sparse as sp
import torch

from pruneexp.graphs.bipartite import components, sparse

Matrix: TypeAlias = torch.Tensor | np.ndarray | sp.sparray


def top_singular_values(matrix: sp.csr_array, count: int = 2) -> np.ndarray:
    """The `count` largest singular values of M [L, R], descending, zeros where M has fewer."""
    wide = matrix.T if matrix.shape[0] < matrix.shape[1] else matrix
    if wide.nnz > 0.05 * wide.shape[0] * wide.shape[1]:
        dense = wide.toarray()
        gram = dense.T @ dense
    else:
        gram = (wide.T @ wide).toarray()
    size = len(gram)
    values = np.zeros(count)
    if size and wide.nnz:
        first = max(size - count, 0)
        try:
            squares = scipy.linalg.eigh(gram, eigvals_only=True, subset_by_index=[first, size - 1])[::-1]
        except np.linalg.LinAlgError:  # LAPACK's bisection for a few of them can fail where many coincide
            squares = scipy.linalg.eigh(gram, eigvals_only=True, driver="ev")[: first - 1 if first else None : -1]
        # what is below the rounding of the largest is zero: its root would look like a number
        squares[squares < size * np.finfo(np.float64).eps * squares[0]] = 0.0
        values[: len(squares)] = np.sqrt(squares)
    return values


def lambda2(matrix: Matrix) -> float:
    """Second smallest eigenvalue of the normalised Laplacian on the largest connected component.

    lambda_2 = 1 - sigma_2(D_L^-1/2 M D_R^-1/2); 0 <= lambda_2 <= 2 (0 only by rounding,
    across a negligible bridge), and it bounds the component's conductance by
    lambda_2 / 2 <= phi <= sqrt(2 lambda_2) (Cheeger; Laenen 2023, Lemma 2.1). A single edge has 2, a star 1, no edge
    at all NaN. Largest means most vertices, the first of equals.

    >>> lambda2(np.ones((3, 4)))        # complete bipartite
    1.0
    """
    kept = sparse(matrix)
    if kept.nnz == 0:
        return math.nan
    number, left, right = components(kept)
    vertices = np.bincount(left[left >= 0], minlength=number) + np.bincount(right[right >= 0], minlength=number)
    largest = int(vertices.argmax())
    if vertices[largest] == 2:
        return 2.0
    part = sp.csr_array(kept[left == largest][:, right == largest])
    scale_left = sp.diags_array(1 / np.sqrt(part.sum(axis=1)))
    scale_right = sp.diags_array(1 / np.sqrt(part.sum(axis=0)))
    sigma = top_singular_values(sp.csr_array(scale_left @ part @ scale_right))
    return float(1 - sigma[1])


def mean_degrees(matrix: sp.csr_array) -> tuple[float, float]:
    """Mean degrees (d_L, d_R) over the vertices with an edge; at least one edge."""
    left = np.count_nonzero(np.diff(matrix.indptr))
    right = len(np.unique(matrix.indices))
    return matrix.nnz / left, matrix.nnz / right


def ramanujan_bound(kept: sp.csr_array) -> float:
    """sqrt(d_L - 1) + sqrt(d_R - 1), mean degrees over the vertices with an edge (Hoory 2005); at least one edge."""
    return sum(math.sqrt(degree - 1) for degree in mean_degrees(kept))


def bound_gap(matrix: Matrix) -> float:
    """sqrt(d_L - 1) + sqrt(d_R - 1) - sigma_2 of the 0/1 graph: positive inside the Ramanujan bound.

    d_L, d_R are mean degrees over the vertices with an edge (Hoory 2005), sigma_2 the second singular value of the
    biadjacency matrix. NaN for a layer without an edge.
    """
    kept = sparse(matrix)
    if kept.nnz == 0:
        return math.nan
    kept.data[:] = 1.0
    return ramanujan_bound(kept) - float(top_singular_values(kept)[1])


def imdb(matrix: Matrix, fewest: int = 1) -> float:
    """Iterative mean difference of bound: the mean of `bound_gap` over the layer's regular subgraphs.

    One subgraph for each distinct left degree d: exactly the left vertices of that degree with all their right
    neighbours, counted when both mean degrees are at least 3 (Hoang et al. 2023, "Revisiting pruning at
    initialization through the lens of Ramanujan graph"). NaN when no subgraph counts.

    Args:
        matrix: [L, R], edges where it is not zero.
        fewest: as for `regular_subgraphs`.
    """
    return both_imdbs(matrix, fewest)[0]


def imdb_norm(matrix: Matrix, fewest: int = 1) -> float:
    """The same mean of each subgraph's gap over its own bound, at most 1, which a complete graph has: Hoang et al.'s printed unit.

    >>> imdb_norm(np.ones((3, 4)))
    1.0
    """
    return both_imdbs(matrix, fewest)[1]


def both_imdbs(matrix: Matrix, fewest: int = 1) -> tuple[float, float]:
    """`imdb` and `imdb_norm`, of one computation."""
    kept = sparse(matrix)
    kept.data[:] = 1.0
    subgraphs = list(regular_subgraphs(kept, fewest))
    gaps = np.array([bound_gap(subgraph) for subgraph in subgraphs])
    bounds = np.array([ramanujan_bound(subgraph) for subgraph in subgraphs])
    return (float(gaps.mean()), float((gaps / bounds).mean())) if subgraphs else (math.nan, math.nan)


def imsg(matrix: Matrix, fewest: int = 1) -> float:
    """Iterative mean spectral gap: the mean over the same subgraphs of sigma_1 - sigma_2 of |W| (Hoang et al. 2023).

    Args:
        matrix: [L, R], |w| of the kept weights.
        fewest: as for `regular_subgraphs`.
    """
    kept = abs(sparse(matrix))
    gaps = [-float(np.diff(top_singular_values(subgraph))[0]) for subgraph in regular_subgraphs(kept, fewest)]
    return float(np.mean(gaps)) if gaps else math.nan


def regular_subgraphs(kept: sp.csr_array, fewest: int = 1) -> Iterator[sp.csr_array]:
    """For each distinct left degree the left vertices of that degree with all their right neighbours, where both mean degrees are >= 3.

    Args:
        kept: [L, R].
        fewest: degrees that fewer left vertices have are passed over: Hoang et al.'s program has 3, their definition 1.
    """
    degrees = np.diff(kept.indptr)
    found, counts = np.unique(degrees[degrees >= 3], return_counts=True)
    for degree in found[counts >= fewest]:
        subgraph = sp.csr_array(kept[degrees == degree])
        touched = np.unique(subgraph.indices)
        if subgraph.nnz / len(touched) >= 3:
            yield sp.csr_array(subgraph[:, touched])
