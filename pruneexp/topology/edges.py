"""A graph's edges one by one, as int32 CSR: for the metrics that cannot do without."""

from dataclasses import dataclass

import numba
import numpy as np

from pruneexp.topology.encoding import Graph, Link


def by_position(graph: Graph) -> np.ndarray:
    """int32 [nodes], another number of each node: of the partition's (c, y, x) it is offset + (y W + x) C + c.

    What is near in the network is near in memory: a position's channels are neighbours of the same positions' channels.
    """
    parts = [
        first + np.arange(c * h * w, dtype=np.int32).reshape(h * w, c).T.ravel()
        for first, (c, h, w) in zip(graph.offsets[:-1].astype(np.int32), graph.shapes, strict=True)
    ]
    return np.concatenate(parts)


@dataclass(frozen=True)
class Csr:
    """Neighbours of each node, in ascending order.

    Attributes:
        start: int64 [nodes + 1].
        neighbours: int32 [edges], of node u those from start[u] to start[u + 1].
    """

    start: np.ndarray
    neighbours: np.ndarray

    @property
    def nodes(self) -> int:
        return len(self.start) - 1


def directed(graph: Graph) -> Csr:
    """The out-neighbours of each node, nodes being numbered `by_position`: 4 bytes an edge and 8 a node.

    Pools whose windows overlap give a node several edges to another; they are all there.
    """
    degrees = np.empty(graph.nodes)
    degrees[by_position(graph)] = graph.degrees(outgoing=True)
    start = _starts(degrees)
    neighbours, cursor = np.empty(start[-1], dtype=np.int32), start[:-1].copy()
    for link in sorted(graph.links, key=lambda link: link.target):
        _fill(neighbours, cursor, *_ends(graph, link), *_by_source(link))
    _sort(start, neighbours)
    return Csr(start, neighbours)


def undirected(forward: Csr) -> Csr:
    """Both directions of every edge, each once."""
    degree = np.diff(forward.start) + np.bincount(forward.neighbours, minlength=forward.nodes)
    start = _starts(degree)
    neighbours = np.empty(start[-1], dtype=np.int32)
    if _both(forward.start, forward.neighbours, start[:-1].copy(), neighbours):
        _sort(start, neighbours)
    return Csr(start, neighbours)


def simple(graph: Csr) -> Csr:
    """Parallel edges as one."""
    first = np.ones(len(graph.neighbours), dtype=bool)
    np.not_equal(graph.neighbours[1:], graph.neighbours[:-1], out=first[1:])
    begins = graph.start[:-1][np.diff(graph.start) > 0]
    first[begins] = True
    if first.all():
        return graph
    return Csr(np.concatenate([[0], np.cumsum(first)])[graph.start], graph.neighbours[first])


def listed(graph: Graph) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Source int32 [E], target int32 [E] and weight float64 [E] of every edge, link after link; for export and small graphs."""
    parts = []
    for link in graph.links:
        for i in range(link.weight.shape[2]):
            rows = link.rows[link.rows[:, 1] == i]
            for j in range(link.weight.shape[3]):
                columns = link.columns[link.columns[:, 1] == j]
                o, c = np.nonzero(link.weight[:, :, i, j])
                ends = []
                for place, partition, channel in ((0, link.source, c), (2, link.target, o)):
                    _, height, width = graph.shapes[partition]
                    position = (rows[:, None, place] * width + columns[None, :, place]).ravel().astype(np.int32)
                    first = (graph.offsets[partition] + channel * (height * width)).astype(np.int32)
                    ends.append((first[:, None] + position).ravel())
                parts.append((*ends, np.repeat(link.weight[o, c, i, j], len(rows) * len(columns))))
    if not parts:
        return np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0)
    source, target, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
    return source, target, weight


def _starts(degrees: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(degrees)]).astype(np.int64)


def _ends(graph: Graph, link: Link) -> tuple[int, int, int, int, int, int]:
    """Offset, channels and width of both partitions."""
    (c, _, w), (c2, _, w2) = graph.shapes[link.source], graph.shapes[link.target]
    return int(graph.offsets[link.source]), c, w, int(graph.offsets[link.target]), c2, w2


def _by_source(link: Link) -> tuple[np.ndarray, ...]:
    """The kept kernel entries (o, i, j) sorted by input channel, where each channel starts, and both relations.

    Within a channel the last (i, j) come first: of a convolution they lead to the first positions.
    """
    c, i, j, o = np.nonzero(link.weight.transpose(1, 2, 3, 0)[:, ::-1, ::-1])
    start = np.searchsorted(c, np.arange(link.weight.shape[1] + 1))
    last = np.array(link.weight.shape[2:]) - 1
    return start, np.column_stack([o, last[0] - i, last[1] - j]).astype(np.int32), link.rows, link.columns


@numba.njit(cache=True)
def _fill(neighbours, cursor, offset, channels, w, offset2, channels2, w2, start, entries, rows, columns):  # type: ignore[no-untyped-def]
    for c in range(len(start) - 1):
        for e in range(start[c], start[c + 1]):
            o, i, j = entries[e]
            for r in range(len(rows)):
                if rows[r, 1] != i:
                    continue
                source, target = rows[r, 0] * w, rows[r, 2] * w2
                for s in range(len(columns)):
                    if columns[s, 1] == j:
                        u = offset + (source + columns[s, 0]) * channels + c
                        neighbours[cursor[u]] = offset2 + (target + columns[s, 2]) * channels2 + o
                        cursor[u] += 1


@numba.njit(cache=True)
def _sort(start, neighbours):  # type: ignore[no-untyped-def]
    """Each list, where it is not sorted yet: behind a convolution it is."""
    for u in range(len(start) - 1):
        row = neighbours[start[u] : start[u + 1]]
        for k in range(1, len(row)):
            if row[k - 1] > row[k]:
                row.sort()
                break


@numba.njit(cache=True)
def _both(start, neighbours, cursor, result):  # type: ignore[no-untyped-def]
    """Whether some edge leads to a smaller node: else sources in ascending order give every target its smaller neighbours in order, before
    its own larger ones."""
    backwards = False
    for u in range(len(start) - 1):
        for k in range(start[u], start[u + 1]):
            v = neighbours[k]
            backwards |= v < u
            result[cursor[v]] = u
            cursor[v] += 1
    for u in range(len(start) - 1):
        for k in range(start[u], start[u + 1]):
            result[cursor[u]] = neighbours[k]
            cursor[u] += 1
    return backwards
