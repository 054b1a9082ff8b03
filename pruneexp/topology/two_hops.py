"""Distinct nodes within two directed hops, without edges: masks composed, position class by position class."""

from collections import defaultdict
from itertools import product

import numba
import numpy as np

from pruneexp.topology.edges import Csr
from pruneexp.topology.encoding import Graph, Link

Step = tuple[int, ...]  # kernel indices along one axis, one for each hop
Fan = tuple[
    tuple[int, tuple[tuple[int, tuple[Step, ...]], ...]], ...
]  # route -> target position -> steps that lead there


def two_hops(graph: Graph) -> float:
    """The sum over nodes of the numbers of distinct other nodes at most two directed hops away.

    A node (c, y, x) reaches (o, y', x') by two layers' kernel entries (b, c, i, j) and (o, b, i', j') whose indices lead from y to
    y' and from x to x': a product of the layers' masks for each pair of indices, [o, b] by [b, c]. Which pairs there are depends on y
    and x only through their places in stride and border, so that nodes of one kind are counted together; the union over
    all pairs, and over direct edges to the same partition, is the number of nonzeros.

    Returns:
        the sum; with the nodes themselves, n2 is (nodes + sum) / nodes.
    """
    routes: dict[tuple[int, int], list[tuple[Link, ...]]] = defaultdict(list)
    for first in graph.links:
        routes[first.source, first.target].append((first,))
        for second in graph.links:
            if second.source == first.target:
                routes[first.source, second.target].append((first, second))
    return float(sum(_distinct(graph.shapes[source], found) for (source, _), found in routes.items()))


def _distinct(shape: tuple[int, int, int], routes: list[tuple[Link, ...]]) -> int:
    """Nodes of one partition reached from another, summed over the other's nodes."""
    rows = _kinds([[link.rows for link in route] for route in routes], shape[1])
    columns = _kinds([[link.columns for link in route] for route in routes], shape[2])
    masks = [[link.kept.astype(np.float32) for link in route] for route in routes]
    made: dict[tuple[int, Step, Step], np.ndarray] = {}

    def reached(route: int, row: Step, column: Step) -> np.ndarray:
        """bool [o, c]: by this route's kernel entries of these indices."""
        key = route, row, column
        if key not in made:
            parts = [mask[:, :, i, j] for mask, i, j in zip(masks[route], row, column, strict=True)]
            made[key] = (parts[0] if len(parts) == 1 else parts[1] @ parts[0]) != 0
        return made[key]

    total = 0
    for (fan, high), (fan2, wide) in product(rows.items(), columns.items()):
        by_target: dict[tuple[int, int], list[np.ndarray]] = defaultdict(list)
        for (route, down), (route2, across) in product(fan, fan2):
            if route == route2:
                for (y, steps), (x, steps2) in product(down, across):
                    by_target[y, x] += [reached(route, row, column) for row, column in product(steps, steps2)]
        found = 0
        for matrices in by_target.values():
            union = matrices[0] if len(matrices) == 1 else np.logical_or.reduce(matrices)
            found += int(np.count_nonzero(union))
        total += found * high * wide
    return total


def _kinds(routes: list[list[np.ndarray]], size: int) -> dict[Fan, int]:
    """How many positions along an axis have the same steps to targets, targets being numbered from the first one reached."""
    kinds: dict[Fan, int] = defaultdict(int)
    fans: list[list[list[tuple[int, Step]]]] = [[[] for _ in routes] for _ in range(size)]
    for number, relations in enumerate(routes):
        onwards: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for z, k2, end in relations[-1].tolist():
            onwards[z].append((end, k2))
        for y, k, z in relations[0].tolist():
            if len(relations) == 1:
                fans[y][number].append((z, (k,)))
            else:
                fans[y][number] += [(end, (k, k2)) for end, k2 in onwards[z]]
    for fan in fans:
        ends = [end for steps in fan for end, _ in steps]
        if not ends:
            continue
        base, kind = min(ends), []
        for number, steps in enumerate(fan):
            grouped: dict[int, set[Step]] = defaultdict(set)
            for end, step in steps:
                grouped[end - base].add(step)
            if grouped:
                kind.append((number, tuple((end, tuple(sorted(found))) for end, found in sorted(grouped.items()))))
        kinds[tuple(kind)] += 1
    return kinds


def two_hops_by_edges(graph: Csr) -> float:
    """The same for any directed graph, by walking its edges."""
    return float(_walked(graph.start, graph.neighbours))


@numba.njit(cache=True)
def _walked(start, neighbours):  # type: ignore[no-untyped-def]
    seen = np.full(len(start) - 1, -1, np.int32)
    total = 0
    for u in range(len(start) - 1):
        seen[u] = u
        for k in range(start[u], start[u + 1]):
            v = neighbours[k]
            if seen[v] != u:
                seen[v] = u
                total += 1
            for e in range(start[v], start[v + 1]):
                w = neighbours[e]
                if seen[w] != u:
                    seen[w] = u
                    total += 1
    return total
