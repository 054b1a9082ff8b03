"""Triangles, 4-cycles and what is made of them, each found once, at the largest of its nodes."""

import numba
import numpy as np

from pruneexp.topology.edges import Csr


def squares(graph: Csr) -> tuple[int, int, int, int, int]:
    """The numbers of triangles T, 4-cycles C, paws W (a triangle and an edge), diamonds D (two triangles that share an edge) and complete
    graphs of four nodes K, as subgraphs, induced or not.

    A 4-cycle u x w y with the largest node u is a pair of walks of two edges from u to the smaller node w by smaller nodes x and y: with
    c(u, w) walks there are c (c - 1) / 2 (Chiba & Nishizeki 1985). Walks whose middle is the largest are never made, the others once, where
    counting from every node makes all of them twice. A triangle u > x > w is such a walk whose end w is a neighbour of u, too;
    paws follow from the degrees, diamonds from each edge's triangles. Numbering the nodes backwards finds
    the same from other walks: the direction with fewer is taken.

    Args:
        graph: undirected, without parallel edges.
    """
    if _walks(graph.start, graph.neighbours, False) > _walks(graph.start, graph.neighbours, True):
        graph = Csr(graph.start[-1] - graph.start[::-1], (graph.nodes - 1 - graph.neighbours[::-1]).astype(np.int32))
    cycles = _cycles(graph.start, graph.neighbours)
    if _two_sides(graph.start, graph.neighbours):
        return 0, int(cycles), 0, 0, 0
    triangles, paws, diamonds, complete = _triangles(graph.start, graph.neighbours)
    return int(triangles), int(cycles), int(paws), int(diamonds), int(complete)


@numba.njit(cache=True)
def _walks(start, neighbours, backwards):  # type: ignore[no-untyped-def]
    """Walks of two edges from a node by smaller ones to smaller ones (larger, where backwards)."""
    total = 0
    for x in range(len(start) - 1):
        degree = start[x + 1] - start[x]
        smaller = np.searchsorted(neighbours[start[x] : start[x + 1]], x)
        larger = smaller if backwards else degree - smaller
        total += larger * (degree - larger) + larger * (larger - 1) // 2
    return total


@numba.njit(cache=True)
def _cycles(start, neighbours):  # type: ignore[no-untyped-def]
    n = len(start) - 1
    walks = np.zeros(n, np.int32)
    met = np.empty(n + 1, np.int32)
    total = 0
    for u in range(n):
        size = 0
        for k in range(start[u], start[u + 1]):
            x = neighbours[k]
            if x > u:
                break
            for e in range(start[x], start[x + 1]):
                w = neighbours[e]
                if w >= u:
                    break
                before = walks[w]
                total += before
                walks[w] = before + 1
                met[size] = w
                size += before == 0
        for k in range(size):
            walks[met[k]] = 0
    return total


@numba.njit(cache=True)
def _two_sides(start, neighbours):  # type: ignore[no-untyped-def]
    """Whether no cycle has an odd length."""
    n = len(start) - 1
    side = np.full(n, -1, np.int8)
    queue = np.empty(n, np.int32)
    for root in range(n):
        if side[root] >= 0:
            continue
        side[root] = 0
        queue[0] = root
        first, size = 0, 1
        while first < size:
            u = queue[first]
            first += 1
            for k in range(start[u], start[u + 1]):
                v = neighbours[k]
                if side[v] < 0:
                    side[v] = 1 - side[u]
                    queue[size] = v
                    size += 1
                elif side[v] == side[u]:
                    return False
    return True


@numba.njit(cache=True)
def _triangles(start, neighbours):  # type: ignore[no-untyped-def]
    n = len(start) - 1
    of_edge = np.zeros(len(neighbours), np.int32)  # at the edge's place in the list of its larger node
    smaller = np.empty(n, np.int64)
    for u in range(n):
        smaller[u] = start[u] + np.searchsorted(neighbours[start[u] : start[u + 1]], u)
    mutual = np.empty(n, np.int32)
    triangles, paws, complete = 0, 0, 0
    for u in range(n):
        for k in range(start[u], smaller[u]):
            x = neighbours[k]
            size, e = 0, start[x]
            for m in range(start[u], k):
                w = neighbours[m]
                e += np.searchsorted(neighbours[e : smaller[x]], w)
                if e == smaller[x]:
                    break
                if neighbours[e] == w:
                    of_edge[k] += 1
                    of_edge[e] += 1
                    of_edge[m] += 1
                    paws += start[u + 1] - start[u] + start[x + 1] - start[x] + start[w + 1] - start[w] - 6
                    mutual[size] = w
                    size += 1
            triangles += size
            complete += _adjacent(start, neighbours, mutual[:size])
    diamonds = 0
    for k in range(len(of_edge)):
        diamonds += of_edge[k] * (of_edge[k] - 1) // 2
    return triangles, paws, diamonds, complete


@numba.njit(cache=True)
def _adjacent(start, neighbours, nodes):  # type: ignore[no-untyped-def]
    """Adjacent pairs of nodes in ascending order."""
    count = 0
    for p in range(1, len(nodes)):
        row = neighbours[start[nodes[p]] : start[nodes[p] + 1]]
        for q in range(p):
            k = np.searchsorted(row, nodes[q])
            if k < len(row) and row[k] == nodes[q]:
                count += 1
    return count
