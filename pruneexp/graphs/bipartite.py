"""The bipartite graph of one layer."""

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.csgraph import connected_components


def biadjacency(weight: torch.Tensor) -> torch.Tensor:
    """Unfold a weight-shaped tensor into its bipartite graph's matrix [L, R] (a view where possible).

    Linear [out, in] gives L = in, R = out; Conv2d [C_out, C_in, K_h, K_w] gives L = C_in*K_h*K_w, R = C_out
    (Laenen 2023, section 2.4). Works for weights, scores and masks alike.
    """
    return weight.reshape(weight.shape[0], -1).T


def components(biadjacent: sp.csr_array) -> tuple[int, np.ndarray, np.ndarray]:
    """Connected components of the bipartite graph with matrix [L, R].

    Returns their number, isolated vertices not counted, and the labels of the left [L] and right [R] vertices:
    0 ... number-1, and -1 for an isolated vertex.
    """
    rows, columns = biadjacent.shape
    graph = sp.block_array([[None, biadjacent], [biadjacent.T, None]], format="csr")
    _, label = connected_components(graph, directed=False)
    isolated = np.diff(graph.indptr) == 0
    number = np.unique(label[~isolated], return_inverse=True)
    compact = np.full(rows + columns, -1)
    compact[~isolated] = number[1]
    return len(number[0]), compact[:rows], compact[rows:]


def sparse(matrix: "torch.Tensor | np.ndarray | sp.sparray") -> sp.csr_array:
    """`matrix` [L, R] as a float64 CSR array of its own, without explicit zeros."""
    if isinstance(matrix, torch.Tensor):
        matrix = matrix.detach().cpu().numpy()
    csr = sp.csr_array(matrix, dtype=np.float64, copy=True)
    csr.eliminate_zeros()
    return csr
