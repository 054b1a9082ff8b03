"""Connected induced subgraphs of four nodes, counted from degrees, common neighbours and triangles."""

import numba
import numpy as np

from pruneexp.topology.edges import Csr
from pruneexp.topology.squares import squares

MOST_WEDGES = 5e9  # of an exact count; beyond, nodes are sampled
SAMPLED = 4096  # nodes


def motif4(graph: Csr, seed: int = 0, most: float = MOST_WEDGES) -> tuple[float, float]:
    """The number of connected induced subgraphs of four nodes, and its standard error (0 where it is exact).

    With the numbers of (not necessarily induced) stars, paths, 4-cycles, paws, diamonds and complete graphs of four nodes, each connected
    induced subgraph is counted once by S + P - 3 C - 2 W + 4 D - 6 K. Stars and paths follow from the degrees and triangles, the
    others are counted (`squares`). Beyond `most` walks of two edges they are summed over a random sample of nodes (with replacement), from
    the numbers of common neighbours of a node and all others, and scaled.

    Args:
        graph: undirected, without parallel edges.
        seed: of the sample.
        most: walks of two edges up to which the count is exact.
    """
    degree = np.diff(graph.start).astype(np.float64)
    stars = float((degree * (degree - 1) * (degree - 2) / 6).sum())
    paths = float(_paths(graph.start, graph.neighbours, degree - 1))
    wedges = float((degree * (degree - 1)).sum())
    if wedges <= most:
        triangles, cycles, paws, diamonds, complete = squares(graph)
        # the paths' sum has each triangle three times
        return stars + paths - 3 * triangles - 3 * cycles - 2 * paws + 4 * diamonds - 6 * complete, 0.0
    # nodes with many walks are drawn more often: the estimate's spread is that of a walk's share
    reach = _walks(graph.start, graph.neighbours)
    chance = reach / reach.sum()
    drawn = np.random.default_rng(seed).choice(graph.nodes, SAMPLED, p=chance)
    local = shares(graph, drawn) / chance[drawn]
    return stars + paths + float(local.mean()), float(local.std(ddof=1) / SAMPLED**0.5)


def shares(graph: Csr, nodes: np.ndarray) -> np.ndarray:
    """Each node's share of -3 T - 3 C - 2 W + 4 D - 6 K, T triangles, float64; of all nodes they sum to all of it."""
    return np.asarray(_local(graph.start, graph.neighbours, nodes))


@numba.njit(cache=True)
def _paths(start, neighbours, less):  # type: ignore[no-untyped-def]
    total = 0.0
    for u in range(len(start) - 1):
        inner = 0.0
        for k in range(start[u], start[u + 1]):
            inner += less[neighbours[k]]
        total += less[u] * inner
    return total / 2


@numba.njit(cache=True)
def _walks(start, neighbours):  # type: ignore[no-untyped-def]
    result = np.zeros(len(start) - 1)
    for u in range(len(start) - 1):
        for k in range(start[u], start[u + 1]):
            v = neighbours[k]
            result[u] += start[v + 1] - start[v]
    return result


@numba.njit(cache=True)
def _local(start, neighbours, nodes):  # type: ignore[no-untyped-def]
    """As `shares`: from a node the walks of two edges to all others, each pair from both its ends."""
    n = len(start) - 1
    common = np.zeros(n, np.int32)
    met = np.empty(n, np.int32)
    mutual = np.empty(n, np.int32)
    result = np.zeros(len(nodes))
    for at in range(len(nodes)):
        u = nodes[at]
        size = 0
        for k in range(start[u], start[u + 1]):
            x = neighbours[k]
            for e in range(start[x], start[x + 1]):
                w = neighbours[e]
                if w != u:
                    if common[w] == 0:
                        met[size] = w
                        size += 1
                    common[w] += 1
        cycles = 0.0
        for k in range(size):
            cycles += common[met[k]] * (common[met[k]] - 1.0) / 2
        corners, chords, complete = 0.0, 0.0, 0.0
        for k in range(start[u], start[u + 1]):
            x = neighbours[k]
            t = common[x]
            if t:
                corners += t / 2
                chords += t * (t - 1.0) / 2
            if t >= 2:
                complete += _complete(start, neighbours, u, x, mutual)
        # every cycle has four nodes, every chord two, every complete graph four nodes with three edges each
        degree = start[u + 1] - start[u]
        result[at] = -3 * cycles / 4 - corners - 2 * corners * (degree - 2) + 4 * chords / 2 - 6 * complete / 12
        for k in range(size):
            common[met[k]] = 0
    return result


@numba.njit(cache=True)
def _complete(start, neighbours, u, x, mutual):  # type: ignore[no-untyped-def]
    """Adjacent pairs among the common neighbours of u and x."""
    size, a, b = 0, start[u], start[x]
    while a < start[u + 1] and b < start[x + 1]:
        if neighbours[a] == neighbours[b]:
            mutual[size] = neighbours[a]
            size += 1
            a += 1
            b += 1
        elif neighbours[a] < neighbours[b]:
            a += 1
        else:
            b += 1
    count = 0
    for p in range(size):
        v = mutual[p]
        for q in range(p + 1, size):
            k = start[v] + np.searchsorted(neighbours[start[v] : start[v + 1]], mutual[q])
            if k < start[v + 1] and neighbours[k] == mutual[q]:
                count += 1
    return count
