"""Which kept weights lie on a path from the network's input to its output."""

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.csgraph import breadth_first_order

from pruneexp.network.wiring import Wiring


def effective(masks: Mapping[str, torch.Tensor], wiring: Wiring) -> dict[str, torch.Tensor]:
    """The masks without the weights that lie on no input-output path.

    A weight counts if its input channel can be reached from the network's input and its output channel reaches the
    network's output, through kept weights and identity skips; channels are vertices, positions within them are not told apart. The
    sum over all weights is the effective density (Vysogorets & Kempe 2023, "Connectivity matters").
    """
    forward, backward = reach(masks, wiring)
    result = {}
    for name, mask in masks.items():
        live = forward[wiring.sources[name]] & backward[wiring.targets[name]][:, None]
        result[name] = mask & live.reshape(*live.shape, *[1] * (mask.ndim - 2))
    return result


def reach(masks: Mapping[str, torch.Tensor], wiring: Wiring) -> tuple[torch.Tensor, torch.Tensor]:
    """Bool [vertices]: reached from the input; reaching the output. Inputs and outputs themselves count as reached."""
    rows, columns = [], []
    entered, left = np.zeros(wiring.vertices, dtype=bool), np.zeros(wiring.vertices, dtype=bool)
    for name, mask in masks.items():
        target, source = torch.broadcast_tensors(wiring.targets[name][:, None], wiring.sources[name])
        entered[target.numpy()], left[source.numpy()] = True, True
        kept = mask.reshape(*mask.shape[:2], -1).any(dim=2).cpu()
        rows.append(source.expand(kept.shape)[kept].numpy())
        columns.append(target.expand(kept.shape)[kept].numpy())
    for one, other in wiring.skips:
        rows.append(one.numpy())
        columns.append(other.numpy())
        entered[other.numpy()], left[one.numpy()] = True, True
    row, column = np.concatenate(rows), np.concatenate(columns)
    return (
        _from(np.flatnonzero(~entered), row, column, wiring.vertices),
        _from(np.flatnonzero(~left), column, row, wiring.vertices),
    )


def _from(starts: np.ndarray, row: np.ndarray, column: np.ndarray, vertices: int) -> torch.Tensor:
    """Vertices that can be reached from any of `starts` along edges row -> column."""
    row = np.concatenate([row, np.full(len(starts), vertices)])  # one more vertex leads to all starts
    column = np.concatenate([column, starts])
    graph = sp.csr_array((np.ones(len(row), dtype=bool), (row, column)), shape=(vertices + 1, vertices + 1))
    found = np.zeros(vertices + 1, dtype=bool)
    found[breadth_first_order(graph, vertices, return_predecessors=False)] = True
    return torch.from_numpy(found[:vertices])
