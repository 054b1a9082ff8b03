"""Products with a graph's adjacency matrix by long strips of neighbouring positions instead of edge by edge."""

from collections.abc import Sequence
from math import prod

import numba
import numpy as np

from pruneexp.topology.encoding import Link, Shape
from pruneexp.topology.layout import laid_out


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
            sizes, ends, kept, (begin, own) = laid_out(link, *shapes)
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


@numba.njit(cache=True, error_model="numpy", inline="always")
def _along(runs, weight, x, here, result, there):  # type: ignore[no-untyped-def]
    """Adds weight x to the result along runs [n, 3], which begin in x by column `here` and in the result by column `there`."""
    for r in range(len(runs)):
        n = runs[r, 2]
        values, row = x[runs[r, here] : runs[r, here] + n], result[runs[r, there] : runs[r, there] + n]
        if n == 1:
            row[0] += weight * values[0]
        else:
            for k in range(n):
                row[k] += weight * values[k]


@numba.njit(cache=True, error_model="numpy")
def _lay(x, positions, size, runs, laid):  # type: ignore[no-untyped-def]
    """Values in their places, zeros elsewhere."""
    laid[:] = 0
    for c in range(len(x) // positions):
        _along(runs, 1.0, x[c * positions : (c + 1) * positions], 0, laid[c * size : (c + 1) * size], 1)


@numba.njit(cache=True, error_model="numpy")
def _add(laid, positions, size, runs, result):  # type: ignore[no-untyped-def]
    for c in range(len(result) // positions):
        _along(runs, 1.0, laid[c * size : (c + 1) * size], 1, result[c * positions : (c + 1) * positions], 0)


@numba.njit(cache=True, error_model="numpy")
def _product(x, result, room, links, ahead, back, runs, outputs, channel, entry, weight, begin, strips):  # type: ignore[no-untyped-def]
    for link in range(len(links)):
        a, a2, n, size, r, r2, b, b2, m, size2, q, q2, first, count, slot = links[link]
        source, target = (a2 - a) // n * size, (b2 - b) // m * size2
        here, there = room[:source], room[source : source + target]
        for forward in (True, False):
            if not (ahead[link] if forward else back[link]):
                continue
            if forward:
                _lay(x[a:a2], n, size, runs[r:r2], here)
                there[:] = 0
            else:
                _lay(x[b:b2], m, size2, runs[q:q2], there)
                here[:] = 0
            for o in range(count):
                output = there[o * size2 : (o + 1) * size2]
                for e in range(outputs[first + o], outputs[first + o + 1]):
                    into, k = here[channel[e] * size : (channel[e] + 1) * size], slot + entry[e]
                    own = strips[begin[k] : begin[k + 1]]
                    if forward:
                        _along(own, weight[e], into, 0, output, 1)
                    else:
                        _along(own, weight[e], output, 1, into, 0)
            if forward:
                _add(there, m, size2, runs[q:q2], result[b:b2])
            else:
                _add(here, n, size, runs[r:r2], result[a:a2])
