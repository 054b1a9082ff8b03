"""Where a link's nodes lie, and the strips that its edges then are: what `Strips` multiplies by."""

from collections.abc import Sequence
from math import prod

import numpy as np

from pruneexp.topology.encoding import Link, Relation, Shape
from pruneexp.topology.relations import twins


def laid_out(
    link: Link, source: Shape, target: Shape
) -> tuple[tuple[int, int], list[np.ndarray], tuple[np.ndarray, ...], tuple[np.ndarray, np.ndarray]]:
    """Places of a channel at both ends; runs of positions there (`_runs`); the kept weights (where each output's begin, and their input
    channels, kernel entries and values); and the strips (`_strips`)."""
    rows, columns = _Axis(link.rows, source[1]), _Axis(link.columns, source[2])
    pitch = max(columns.length, target[2]) + columns.reach
    y, x = rows.number[:, None], columns.number
    here = np.where((y >= 0) & (x >= 0), _flat(rows, columns, y, x, pitch), -1).ravel()
    there = (np.arange(target[1])[:, None] * pitch + np.arange(target[2])).ravel()
    sizes = columns.phases * rows.phases * rows.length * pitch, target[1] * pitch
    weight, kernel = link.weight.reshape(len(link.weight), -1), link.weight.shape[2:]
    output, slot = np.nonzero(weight)
    channel, entry = (part.astype(np.int32) for part in np.divmod(slot, prod(kernel)))
    kept = np.searchsorted(output, np.arange(len(weight) + 1)), channel, entry, weight[output, slot]
    return sizes, [_runs(here), _runs(there)], kept, _strips(rows, columns, pitch, kernel, (here, there), sizes)


class _Axis:
    """One axis of a source: its positions as groups of twins, and the groups by a stride's phases.

    Attributes:
        number: int64 [positions], each one's group, -1 for none.
        relation: of groups, one for their members.
        phases, length: group g is number g // phases, of `length`, in phase g % phases.
        reach: the largest distance between a group's number and a target position that it leads to.
    """

    def __init__(self, relation: Relation, size: int) -> None:
        self.number, self.relation = twins(relation, size)
        source, kernel, target = self.relation[np.lexsort(self.relation.T[[0, 2, 1]])].T
        beside = np.diff(source)[(np.diff(target) == 1) & (np.diff(kernel) == 0) & (np.diff(source) > 0)]
        self.phases = int(np.bincount(beside).argmax()) if len(beside) else 1
        self.length = -(-(int(self.number.max(initial=-1)) + 1) // self.phases)
        self.reach = int(abs(source // self.phases - target).max(initial=0))


def _flat(rows: _Axis, columns: _Axis, y: np.ndarray, x: np.ndarray, pitch: int) -> np.ndarray:
    """Places of groups y and x of a channel: by the column's phase, the row's, the row, and the column."""
    phase = (x % columns.phases) * rows.phases + y % rows.phases
    return (phase * rows.length + y // rows.phases) * pitch + x // columns.phases


def _runs(place: np.ndarray) -> np.ndarray:
    """int32 [n, 3]: first position, its place, and the length of runs of neighbouring positions in neighbouring places; -1 is no place."""
    begins = np.flatnonzero((np.diff(place, prepend=-2) != 1) | (place == 0))
    runs = np.column_stack([begins, place[begins], np.diff(np.append(begins, len(place)))])
    return runs[runs[:, 1] >= 0].astype(np.int32)


def _strips(
    rows: _Axis, columns: _Axis, pitch: int, kernel: Sequence[int], places: Sequence[np.ndarray], sizes: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Where each kernel entry's strips begin, int64 [entries + 1]; first place in the source, in the target, and length, int32 [n, 3]."""
    (y, i, z), (x, j, u) = rows.relation.T[:, :, None], columns.relation.T[:, None]
    entry = np.broadcast_to(i * kernel[1] + j, (y.size, x.size)).ravel()
    first, last = _flat(rows, columns, y, x, pitch).ravel(), (z * pitch + u).ravel()
    order = np.lexsort((last, first - last, entry))
    entry, first, last = entry[order], first[order], last[order]
    gap = np.diff(last)
    joined = (np.diff(entry) == 0) & (np.diff(first) == gap) & (gap >= 1) & (gap <= pitch)
    # a strip may go on over a gap all along which one end or the other is no node's place: zeros are read, or nobody reads
    at_source, at_target = (np.zeros(size, dtype=bool) for size in sizes)
    at_source[places[0][places[0] >= 0]] = at_target[places[1]] = True
    owner = np.repeat(np.flatnonzero(joined), gap[joined] - 1)
    step = np.arange(len(owner)) - np.searchsorted(owner, owner) + 1
    joined[owner[at_source[first[owner] + step] & at_target[last[owner] + step]]] = False
    begins = np.flatnonzero(np.concatenate([[True], ~joined])[: len(entry)])
    ends = np.append(begins[1:], len(entry))[: len(begins)] - 1
    strips = np.column_stack([first[begins], last[begins], last[ends] - last[begins] + 1]).astype(np.int32)
    return np.searchsorted(entry[begins], np.arange(kernel[0] * kernel[1] + 1)), strips
