"""Eigenvector centrality of a layer's neurons in their similarity graph."""

from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from scipy.sparse.csgraph import connected_components

from pruneexp.components.options import checked
from pruneexp.components.values import Words
from pruneexp.errors import UserError

TOLERANCE, MOST_STEPS = 1e-10, 10_000
EVERY = {"cpu": 1, "cuda": 25}  # steps between looks at whether they still change anything: a GPU must be waited for
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
    only by how unequal their members are (Bonacich 1972). Found by power iteration on A + I, whose Perron
    vector is A's and which converges on bipartite components too, until a step changes no entry by 1e-10; a GPU is asked every 25th
    step, so that it takes up to 24 more.

    Args:
        graph: symmetric, non-negative [n, n], zero diagonal; its device does the work.

    Raises:
        UserError: no convergence.
    """
    number, label = connected_components((graph > 0).cpu().numpy(), directed=False)
    labels = torch.from_numpy(label.astype(np.int64)).to(graph.device)
    sizes = torch.bincount(labels, minlength=number)
    alone = sizes[labels] == 1
    every = EVERY[graph.device.type]

    def normalised(x: torch.Tensor) -> torch.Tensor:
        squares = torch.zeros(number, dtype=torch.float64, device=graph.device).index_add_(0, labels, x**2)
        return x / squares.sqrt()[labels].clamp_min(1e-300)

    vector = normalised(torch.ones(len(graph), dtype=torch.float64, device=graph.device))
    for step in range(1, MOST_STEPS + 1):
        # the shift makes each component's largest eigenvalue the only one of its magnitude
        following = normalised(graph @ vector + vector)
        if step % every == 0 and float((following - vector).abs().max()) < TOLERANCE:
            return following.masked_fill(alone, 0.0)
        vector = following
    raise UserError(
        "the centrality has not converged: two eigenvalues of a component are too close; raise or lower tau."
    )
