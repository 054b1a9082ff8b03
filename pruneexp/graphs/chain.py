"""Effective resistances of a layered graph, exactly, by block elimination.

In a network without skips a layer's vertices touch only the next layer's, so that the whole network's Laplacian is block
tridiagonal. Eliminating everything left of a layer, and everything right of it, leaves that layer with extra couplings
between its own vertices; two sweeps give them for all layers, and each layer's resistances then cost what the layerwise
ones do. This is selected inversion: only the blocks of the pseudo-inverse that belong to edges are ever formed.
"""

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.csgraph import connected_components

from pruneexp.graphs.elimination import inverse, pair_forms


def chain_resistances(blocks: list[torch.Tensor]) -> list[torch.Tensor]:
    """Reff(u, v) for every pair of vertices in neighbouring layers.

    Args:
        blocks: for layer i = 1 ... k the edge weights [n_{i-1}, n_i] >= 0 between vertex sets i-1 and i, float64.

    Returns:
        float64 tensors of the same shapes; infinite between different components.
    """
    if all(bool((block > 0).all()) for block in blocks):
        return _connected(blocks)
    sizes = [blocks[0].shape[0], *(block.shape[1] for block in blocks)]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    label = _components(blocks, starts)
    if (label == label[0]).all():
        return _connected(blocks)
    resistances = [torch.full_like(block, torch.inf) for block in blocks]
    levels = [label[starts[i] : starts[i + 1]] for i in range(len(sizes))]
    for component in np.flatnonzero(np.bincount(label) > 1):
        members = [torch.from_numpy(np.flatnonzero(level == component)).to(blocks[0].device) for level in levels]
        present = [i for i, member in enumerate(members) if len(member)]
        inside = [blocks[i][members[i][:, None], members[i + 1]] for i in present[:-1]]
        for i, part in zip(present, _connected(inside), strict=False):
            resistances[i][members[i][:, None], members[i + 1]] = part
    return resistances


def _connected(blocks: list[torch.Tensor]) -> list[torch.Tensor]:
    """The same for a connected chain."""
    own, walks, left = _sweep(blocks)
    _, _, right = _sweep([block.T for block in reversed(blocks)])
    right.reverse()
    return [
        pair_forms(left[i + 1] + right[i + 1], walks[i], blocks[i].amax(dim=0)) + own[i][:, None]
        for i in range(len(blocks))
    ]  # fmt: skip


def _sweep(blocks: list[torch.Tensor]) -> tuple[list[torch.Tensor], list[torch.Tensor], list[torch.Tensor]]:
    """Eliminate vertex sets from the left.

    Returns, for each block, the diagonal of the eliminated set's inverse and the walk [n_{i-1}, n_i] it leaves behind
    (rows sum to one); and, for each vertex set, the couplings between its vertices through everything to its left.
    """
    left = [torch.zeros(blocks[0].shape[0], blocks[0].shape[0], dtype=torch.float64, device=blocks[0].device)]
    own, walks = [], []
    for block in blocks:
        solved = inverse(left[-1], block.sum(dim=1))
        walk = solved @ block
        coupling = block.T @ walk
        own.append(solved.diagonal().clone())
        walks.append(walk)
        left.append((coupling + coupling.T).div_(2).fill_diagonal_(0.0))
    return own, walks, left


def _components(blocks: list[torch.Tensor], starts: np.ndarray) -> np.ndarray:
    """Component number of every vertex, all vertex sets in one row."""
    edges = []
    for i, block in enumerate(blocks):
        rows, columns = (block > 0).nonzero(as_tuple=True)
        edges.append((rows.cpu().numpy() + starts[i], columns.cpu().numpy() + starts[i + 1]))
    row, column = (np.concatenate(side) for side in zip(*edges, strict=True))
    graph = sp.coo_array((np.ones(len(row), dtype=bool), (row, column)), shape=(starts[-1], starts[-1]))
    label: np.ndarray = connected_components(graph, directed=False)[1]
    return label
