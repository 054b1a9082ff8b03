"""How positions along one axis of a map lead to positions of the next: convolutions, pools and one after the other."""

import numpy as np

from pruneexp.topology.encoding import Relation


def sliding(before: int, after: int, kernel: int, stride: int, padding: int, dilation: int) -> Relation:
    """(y, k, y') with y = y' stride + k dilation - padding inside the map."""
    target, index = (grid.ravel() for grid in np.meshgrid(np.arange(after), np.arange(kernel), indexing="ij"))
    source = target * stride + index * dilation - padding
    inside = (source >= 0) & (source < before)
    return np.column_stack([source, index, target])[inside]


def adaptive(before: int, after: int) -> np.ndarray:
    """(y, y') of the windows of adaptive pooling."""
    return np.array(
        [(y, k) for k in range(after) for y in range(k * before // after, -(-(k + 1) * before // after))],
        dtype=np.int64,
    )


def compose(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(a, c) for (a, b) in `first` and (b, c) in `second`."""
    return np.array([(a, c) for a, b in first for b2, c in second if b == b2], dtype=np.int64).reshape(-1, 2)


def through(positions: np.ndarray, relation: Relation) -> Relation:
    """(a, k, c) for (a, b) in `positions` and (b, k, c) in `relation`."""
    found = [(a, k, c) for a, b in positions for b2, k, c in relation if b == b2]
    return np.array(found, dtype=np.int64).reshape(-1, 3)
