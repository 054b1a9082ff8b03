"""Components, bridges, articulation points and core numbers of an undirected graph, each in linear time."""

import numba
import numpy as np

from pruneexp.topology.edges import Csr


def components(graph: Csr) -> int:
    """The number of connected components, isolated nodes counted."""
    return int(_components(graph.start, graph.neighbours))


def cuts(graph: Csr) -> tuple[int, int]:
    """Numbers of bridges (edges) and articulation points (nodes) whose loss leaves more components (Hopcroft & Tarjan 1973)."""
    bridges, points = _cuts(graph.start, graph.neighbours)
    return int(bridges), int(points)


def core_numbers(graph: Csr) -> np.ndarray:
    """int32 [nodes]: the largest k for which a node lies in a subgraph of degrees k and more (Batagelj & Zaversnik 2003)."""
    return np.asarray(_cores(graph.start, graph.neighbours))


@numba.njit(cache=True)
def _components(start, neighbours):  # type: ignore[no-untyped-def]
    n = len(start) - 1
    parent = np.arange(n)
    count = n
    for u in range(n):
        for k in range(start[u], start[u + 1]):
            v = neighbours[k]
            if v > u:
                break  # each edge once, from its larger end
            a, b = u, v
            while parent[a] != a:
                parent[a] = parent[parent[a]]
                a = parent[a]
            while parent[b] != b:
                parent[b] = parent[parent[b]]
                b = parent[b]
            if a != b:
                parent[a] = b
                count -= 1
    return count


@numba.njit(cache=True)
def _cuts(start, neighbours):  # type: ignore[no-untyped-def]
    """Depth-first with an explicit stack; low[u] is the earliest node reached from u's subtree by one edge back."""
    n = len(start) - 1
    order = np.full(n, -1, np.int32)
    low = np.empty(n, np.int32)
    parent = np.full(n, -1, np.int32)
    twice = np.zeros(n, np.bool_)  # met the parent already: a second edge to it is a way back
    cursor = start[:-1].copy()
    is_point = np.zeros(n, np.bool_)
    bridges, time = 0, 0
    for root in range(n):
        if order[root] >= 0:
            continue
        order[root] = low[root] = time
        time += 1
        children, u = 0, root
        while True:
            if cursor[u] < start[u + 1]:
                v = neighbours[cursor[u]]
                cursor[u] += 1
                if order[v] < 0:
                    parent[v] = u
                    order[v] = low[v] = time
                    time += 1
                    u = v
                elif v == parent[u] and not twice[u]:
                    twice[u] = True
                elif order[v] < low[u]:
                    low[u] = order[v]
            else:
                p = parent[u]
                if p < 0:
                    break
                if low[u] < low[p]:
                    low[p] = low[u]
                if low[u] > order[p]:
                    bridges += 1
                if p == root:
                    children += 1
                elif low[u] >= order[p]:
                    is_point[p] = True
                u = p
        if children > 1:
            is_point[root] = True
    return bridges, is_point.sum()


@numba.njit(cache=True)
def _cores(start, neighbours):  # type: ignore[no-untyped-def]
    """Nodes in order of degree, kept sorted by swapping a node to its bin's border when its degree falls."""
    n = len(start) - 1
    degree = np.empty(n, np.int32)
    most = 0
    for u in range(n):
        degree[u] = start[u + 1] - start[u]
        most = max(most, degree[u])
    border = np.zeros(most + 2, np.int64)
    for u in range(n):
        border[degree[u] + 1] += 1
    for d in range(most + 1):
        border[d + 1] += border[d]
    place, nodes = np.empty(n, np.int32), np.empty(n, np.int32)
    cursor = border[:-1].copy()
    for u in range(n):
        place[u] = cursor[degree[u]]
        nodes[place[u]] = u
        cursor[degree[u]] += 1
    for k in range(n):
        u = nodes[k]
        for e in range(start[u], start[u + 1]):
            v = neighbours[e]
            if degree[v] > degree[u]:
                first = border[degree[v]]
                other = nodes[first]
                if other != v:
                    nodes[first], nodes[place[v]] = v, other
                    place[other], place[v] = place[v], first
                border[degree[v]] += 1
                degree[v] -= 1
    return degree
