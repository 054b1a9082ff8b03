"""Products with a graph's adjacency matrix by long strips of neighbouring positions instead of edge by edge."""

from collections.abc import Sequence
from math import prod

import numba
import numpy as np

from pruneexp.topology.encoding import Link, Relation
from pruneexp.topology.relations import twins

Shape = tuple[int, int, int]


class Strips:
    """The edges of links as strips: neighbouring positions that an entry of a kernel leads to neighbouring positions.

    Positions of a source that lead to the same places (a pool's window) are summed first. What is left lies in rows with zeros between,
    a stride's phases one after the other, and so does the target: there an entry (i, j) moves a whole channel by one distance, and
    the edges of a kept weight are one strip, as long as the channel.

    Args:
        links: each with the first nodes and the shapes [C, H, W] of its source and its target.
    """

    def __init__(self, links: Sequence[tuple[Link, tuple[int, int], tuple[Shape, Shape]]]) -> None:
        rows, columns = [], []
        self.places = runs = outputs = entries = slots = strips = 0
        for link, first, shapes in links:
            sizes, ends, kept, (begin, own) = _laid_out(link, *shapes)
            places = [shape[0] * size for shape, size in zip(shapes, sizes, strict=True)]
            self.places = max(self.places, sum(places))
            row: list[int] = []
            for k in (0, 1):
                row += [first[k], first[k] + prod(shapes[k]), prod(shapes[k][1:]), sizes[k], runs, runs + len(ends[k])]
                runs += len(ends[k])
            rows.append([*row, outputs, shapes[1][0], slots])
            columns.append((np.concatenate(ends), kept[0] + entries, *kept[1:], begin + strips, own))
            outputs, entries, slots, strips = (
                outputs + len(kept[0]),
                entries + len(kept[1]),
                slots + len(begin),
                strips + len(own),
            )
        self.links = np.array(rows, dtype=np.int64).reshape(-1, 15)
        self.arrays = [np.concatenate(column) for column in zip(*columns, strict=True)]

    def __call__(self, x: np.ndarray, ahead: np.ndarray, back: np.ndarray) -> np.ndarray:
        """What the edges bring of x, float64 [nodes]: of the links `ahead` to targets, of those `back` to sources, bool [links]."""
        result = np.zeros_like(x)
        if len(self.links):
            _product(x, result, np.empty(self.places), self.links, ahead, back, *self.arrays)
        return result


def _laid_out(
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


@numba.njit(cache=True, error_model="numpy", inline="always")
def _axpy(weight, x, result):  # type: ignore[no-untyped-def]
    if len(x) == 1:
        result[0] += weight * x[0]
    else:
        for k in range(len(x)):
            result[k] += weight * x[k]


@numba.njit(cache=True, error_model="numpy")
def _lay(x, positions, size, runs, laid):  # type: ignore[no-untyped-def]
    """Values in their places, zeros elsewhere."""
    laid[:] = 0
    for c in range(len(x) // positions):
        values, row = x[c * positions : (c + 1) * positions], laid[c * size : (c + 1) * size]
        for r in range(len(runs)):
            p, q, n = runs[r]
            _axpy(1.0, values[p : p + n], row[q : q + n])


@numba.njit(cache=True, error_model="numpy")
def _add(laid, positions, size, runs, result):  # type: ignore[no-untyped-def]
    for c in range(len(result) // positions):
        values, row = result[c * positions : (c + 1) * positions], laid[c * size : (c + 1) * size]
        for r in range(len(runs)):
            p, q, n = runs[r]
            _axpy(1.0, row[q : q + n], values[p : p + n])


@numba.njit(cache=True, error_model="numpy")
def _product(x, result, room, links, ahead, back, runs, outputs, channel, entry, weight, begin, strips):  # type: ignore[no-untyped-def]
    for link in range(len(links)):
        a, a2, n, size, r, r2, b, b2, m, size2, q, q2, first, count, slot = links[link]
        source, target = (a2 - a) // n * size, (b2 - b) // m * size2
        here, there = room[:source], room[source : source + target]
        if ahead[link]:
            _lay(x[a:a2], n, size, runs[r:r2], here)
            there[:] = 0
            for o in range(count):
                row = there[o * size2 : (o + 1) * size2]
                for e in range(outputs[first + o], outputs[first + o + 1]):
                    values, w, k = here[channel[e] * size : (channel[e] + 1) * size], weight[e], slot + entry[e]
                    for s in range(begin[k], begin[k + 1]):
                        at, to, length = strips[s]
                        _axpy(w, values[at : at + length], row[to : to + length])
            _add(there, m, size2, runs[q:q2], result[b:b2])
        if back[link]:
            _lay(x[b:b2], m, size2, runs[q:q2], there)
            here[:] = 0
            for o in range(count):
                values = there[o * size2 : (o + 1) * size2]
                for e in range(outputs[first + o], outputs[first + o + 1]):
                    row, w, k = here[channel[e] * size : (channel[e] + 1) * size], weight[e], slot + entry[e]
                    for s in range(begin[k], begin[k + 1]):
                        to, at, length = strips[s]
                        _axpy(w, values[at : at + length], row[to : to + length])
            _add(here, n, size, runs[r:r2], result[a:a2])
