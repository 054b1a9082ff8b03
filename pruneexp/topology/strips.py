"""Products with the edges of one link, both ways, by long strips of neighbouring positions instead of edge by edge."""

from collections.abc import Sequence

import numba
import numpy as np

from pruneexp.topology.encoding import Link, Relation
from pruneexp.topology.relations import twins

Shape = tuple[int, int, int]


class Strips:
    """One link's edges as strips: neighbouring positions that an entry of the kernel leads to neighbouring positions.

    Positions of the source that lead to the same places (a pool's window) are summed first. What is left lies in rows with zeros between,
    a stride's phases one after the other, and so does the target: there an entry (i, j) moves a whole channel by one distance, and
    the edges of a kept weight are one strip, as long as the channel.

    Args:
        link: the edges.
        source, target: [C, H, W] of both ends.

    """

    def __init__(self, link: Link, source: Shape, target: Shape) -> None:
        rows, columns = _Axis(link.rows, source[1]), _Axis(link.columns, source[2])
        pitch = max(columns.length, target[2]) + columns.reach
        y, x = rows.number[:, None], columns.number
        here = np.where((y >= 0) & (x >= 0), _flat(rows, columns, y, x, pitch), -1).ravel()
        there = (np.arange(target[1])[:, None] * pitch + np.arange(target[2])).ravel()
        sizes = columns.phases * rows.phases * rows.length * pitch, target[1] * pitch
        self.places = source[0] * sizes[0] + target[0] * sizes[1]  # of both ends' channels together
        self.source, self.target = (len(here), sizes[0], _runs(here)), (len(there), sizes[1], _runs(there))
        weight = link.weight.reshape(len(link.weight), -1)
        output, slot = np.nonzero(weight)
        kernel = link.weight.shape[2:]
        channel, entry = (part.astype(np.int32) for part in np.divmod(slot, kernel[0] * kernel[1]))
        entries = np.searchsorted(output, np.arange(len(weight) + 1)), channel, entry, weight[output, slot]
        self.edges = *entries, *_strips(rows, columns, pitch, kernel, (here, there), sizes)

    def forward(self, x: np.ndarray, result: np.ndarray) -> None:
        """Adds what the edges bring from the source's x, float64 [C H W], to the target's result."""
        _forward(x, result, np.empty(self.places), *self.source, *self.target, *self.edges)

    def backward(self, x: np.ndarray, result: np.ndarray) -> None:
        """Adds what the edges, turned round, bring from the target's x to the source's result."""
        _backward(x, result, np.empty(self.places), *self.target, *self.source, *self.edges)


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


@numba.njit(cache=True, error_model="numpy", inline="always")
def _axpy(weight, x, result):  # type: ignore[no-untyped-def]
    for k in range(len(x)):
        result[k] += weight * x[k]


@numba.njit(cache=True, error_model="numpy")
def _lay(x, positions, size, runs, room):  # type: ignore[no-untyped-def]
    """Values in their places, zeros elsewhere."""
    laid = room[: len(x) // positions * size]
    laid[:] = 0
    for c in range(len(x) // positions):
        values, row = x[c * positions : (c + 1) * positions], laid[c * size : (c + 1) * size]
        for r in range(len(runs)):
            p, q, n = runs[r]
            if n == 1:
                row[q] += values[p]
            else:
                _axpy(1.0, values[p : p + n], row[q : q + n])
    return laid


@numba.njit(cache=True, error_model="numpy")
def _add(laid, positions, size, runs, result):  # type: ignore[no-untyped-def]
    for c in range(len(result) // positions):
        values, row = result[c * positions : (c + 1) * positions], laid[c * size : (c + 1) * size]
        for r in range(len(runs)):
            p, q, n = runs[r]
            if n == 1:
                values[p] += row[q]
            else:
                _axpy(1.0, row[q : q + n], values[p : p + n])


@numba.njit(cache=True, error_model="numpy")
def _forward(x, result, room, n, size, runs, n2, size2, runs2, outputs, channel, entry, weight, begin, strips):  # type: ignore[no-untyped-def]
    laid = _lay(x, n, size, runs, room)
    made = room[len(laid) : len(laid) + (len(outputs) - 1) * size2]
    made[:] = 0
    for o in range(len(outputs) - 1):
        row = made[o * size2 : (o + 1) * size2]
        for e in range(outputs[o], outputs[o + 1]):
            values, w = laid[channel[e] * size : (channel[e] + 1) * size], weight[e]
            for s in range(begin[entry[e]], begin[entry[e] + 1]):
                p, q, m = strips[s]
                if m == 1:
                    row[q] += w * values[p]
                else:
                    _axpy(w, values[p : p + m], row[q : q + m])
    _add(made, n2, size2, runs2, result)


@numba.njit(cache=True, error_model="numpy")
def _backward(x, result, room, n, size, runs, n2, size2, runs2, outputs, channel, entry, weight, begin, strips):  # type: ignore[no-untyped-def]
    laid = _lay(x, n, size, runs, room)
    made = room[len(laid) : len(laid) + len(result) // n2 * size2]
    made[:] = 0
    for o in range(len(outputs) - 1):
        values = laid[o * size : (o + 1) * size]
        for e in range(outputs[o], outputs[o + 1]):
            row, w = made[channel[e] * size2 : (channel[e] + 1) * size2], weight[e]
            for s in range(begin[entry[e]], begin[entry[e] + 1]):
                q, p, m = strips[s]
                if m == 1:
                    row[q] += w * values[p]
                else:
                    _axpy(w, values[p : p + m], row[q : q + m])
    _add(made, n2, size2, runs2, result)
