"""Eigenvector centrality of a layer's neurons in their similarity graph."""

import contextlib
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import ArpackNoConvergence, eigsh

from pruneexp.components.options import checked
from pruneexp.components.values import Words

EQUAL = 1e-9  # of the largest eigenvalue: others as near to it are taken for equal
LARGE, SEVERAL = 256, 4  # of larger components so many of the largest eigenvalues alone
Threshold = Annotated[float, Field(ge=0, lt=1), Words("at least 0 and below 1")]  # of cosine similarities


def cosines(rows: torch.Tensor) -> torch.Tensor:
    """float32 [n, n]: cosine similarities of the rows [n, ...]; of a row of zeros 0.

    Args:
        rows: a neuron's incoming weights each (a convolution's filter, flattened).
    """
    flat = rows.detach().flatten(1).double()
    lengths = flat.norm(dim=1, keepdim=True)
    unit = (flat / lengths.where(lengths > 0, 1)).float()  # products in float32: cosines to 1e-7 in half the time
    return unit @ unit.T


@checked
def similarity_graph(similar: torch.Tensor, tau: Threshold) -> torch.Tensor:
    """float64 [n, n]: similarities above tau, 0 elsewhere and on the diagonal.

    Args:
        similar: symmetric [n, n], of neurons.
        tau: threshold in [0, 1); an edge is kept where the similarity is larger.

    Raises:
        UserError: tau outside [0, 1).
    """
    graph = similar.double()
    graph = graph.where(graph > tau, 0)
    return graph.fill_diagonal_(0)


def centrality(graph: torch.Tensor) -> torch.Tensor:
    """The Perron vector of each connected component, float64 [n]; neurons without an edge have 0.

    The vector x > 0 with A x = lambda x for the component's largest eigenvalue, of Euclidean length 1, so that components are comparable
    only by how unequal their members are (Bonacich 1972). Found by LAPACK's solver, of large components by ARPACK's (Lehoucq, Sorensen &
    Yang 1998). Where other eigenvalues are equal to the largest up to 1e-9 of it - two clusters with next to nothing between them -
    no computation tells their vectors apart, and x is the projection of (1, ..., 1) on the space of them all, where power iteration from
    there would stay. Rounded to twelve digits, so that neurons whose centralities are the same in theory have equal ones.

    Args:
        graph: symmetric, non-negative [n, n], zero diagonal.
    """
    weights = graph.detach().cpu().double().numpy()
    _, label = connected_components(weights > 0, directed=False)
    central = np.zeros(len(weights))
    for component in np.flatnonzero(np.bincount(label) > 1):
        members = np.flatnonzero(label == component)
        central[members] = _perron(weights[np.ix_(members, members)])
    return torch.from_numpy(central.round(12)).to(graph.device)


def _perron(weights: np.ndarray) -> np.ndarray:
    """Of one component, float64 [n]."""
    values, vectors = _largest(weights)
    vectors = vectors[:, values >= values.max() * (1 - EQUAL)]
    projected = (vectors @ vectors.sum(axis=0)).clip(
        min=0.0
    )  # of ones; which sign a solver gives a vector does not matter
    return np.asarray(projected / np.linalg.norm(projected))


def _largest(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest eigenvalues and their vectors, at least all that are equal to the largest."""
    if len(weights) > LARGE:
        start = np.ones(len(weights))
        with contextlib.suppress(ArpackNoConvergence):
            values, vectors = eigsh(csr_array(weights), k=SEVERAL, which="LA", v0=start)
            if values.min() < values.max() * (1 - EQUAL):  # else there may be more of them
                return values, vectors
    found: tuple[np.ndarray, np.ndarray] = np.linalg.eigh(weights)
    return found
