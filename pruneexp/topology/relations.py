"""Which positions lead to which: relations one after the other, and those that are rows times columns."""

import numpy as np

from pruneexp.topology.encoding import Relation

Grid = tuple[int, int]  # rows and columns of what is numbered row after row


def sliding(before: int, after: int, kernel: int, stride: int, padding: int, dilation: int) -> Relation:
    """(y, k, y') with y = y' stride + k dilation - padding inside the map."""
    target, index = (grid.ravel() for grid in np.meshgrid(np.arange(after), np.arange(kernel), indexing="ij"))
    source = target * stride + index * dilation - padding
    inside = (source >= 0) & (source < before)
    return np.column_stack([source, index, target])[inside]


def through(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(a, ...) for (b, a) in `first`, whose b ascend, and (b, ...) in `second`, as often as there are."""
    begin, end = (np.searchsorted(first[:, 0], second[:, 0], side) for side in ("left", "right"))
    count = end - begin
    row = np.repeat(np.arange(len(second)), count)
    within = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    return np.column_stack([first[begin[row] + within, 1], second[row, 1:]])


def alike(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different rows [u, m] of a matrix [n, m] in ascending order, and which of them each is, int64 [n]."""
    if len(rows) and (rows == rows[:1]).all():
        return rows[:1], np.zeros(len(rows), dtype=np.int64)
    different, which = np.unique(rows, axis=0, return_inverse=True)
    return different, which.reshape(-1)


def sets(keys: np.ndarray, members: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The pairs (key, member), each there once, as products: (keys, members) of all keys that have the same members."""
    keys, table = _listed(keys, members[:, None])
    different, which = alike(table)
    return [(keys[which == k], row[row >= 0]) for k, row in enumerate(different)]


def twins(relation: Relation, size: int) -> tuple[np.ndarray, Relation]:
    """Source positions that have the same kernel indices and targets as one group, numbered by their first positions.

    Args:
        relation: along one axis.
        size: how many source positions there are.

    Returns:
        int64 [size], the group of each, -1 where it leads nowhere; and the relation of groups, each once.
    """
    number = np.full(size, -1)
    if not len(relation):
        return number, relation
    keys, table = _listed(relation[:, 0], relation[:, 1:])
    _, which = alike(table)
    _, first, which = np.unique(which, return_index=True, return_inverse=True)
    number[keys] = np.argsort(np.argsort(first))[which]
    lead = relation[np.isin(relation[:, 0], keys[first])]
    return number, np.column_stack([number[lead[:, 0]], lead[:, 1:]])


def _listed(keys: np.ndarray, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different keys in ascending order, and each one's members [n, m] in order, row after row; -1 where there are no more."""
    order = np.lexsort([*members.T[::-1], keys])
    keys, begin, count = np.unique(keys[order], return_index=True, return_counts=True)
    place = np.minimum(begin[:, None] + np.arange(count.max()), len(order) - 1)
    there = np.arange(count.max()) < count[:, None]
    return keys, np.where(there[:, :, None], members[order][place], -1).reshape(len(keys), -1)


def separated(relation: Relation, source: Grid, kernel: Grid, target: Grid) -> tuple[Relation, Relation] | None:
    """The relations of rows and of columns whose product it is, or None.

    Args:
        relation: of positions and kernel indices that are numbered row after row.
        source, kernel, target: how many rows and columns there are of each.
    """
    parts = [np.divmod(relation[:, k], grid[1]) for k, grid in enumerate((source, kernel, target))]
    found, places = [], []
    for axis in (0, 1):
        sizes = kernel[axis], target[axis]
        code = (parts[0][axis] * sizes[0] + parts[1][axis]) * sizes[1] + parts[2][axis]
        different, place = np.unique(code, return_inverse=True)
        start, end = np.divmod(different, sizes[1])
        found.append(np.column_stack([*np.divmod(start, sizes[0]), end]))
        places.append(place)
    table = np.zeros((len(found[0]), len(found[1])), dtype=np.int64)
    np.add.at(table, tuple(places), 1)
    if not table.all():
        return None
    if not table.size:
        return found[0], found[1]
    first = table[:, 0] // np.gcd.reduce(table[:, 0])
    second = table[0] // first[0]
    if not np.array_equal(np.outer(first, second), table):
        return None
    return np.repeat(found[0], first, axis=0), np.repeat(found[1], second, axis=0)
