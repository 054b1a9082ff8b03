"""Random spanning trees of a layer's bipartite graph, and the fullest cover where there is no room for a tree."""

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import maximum_bipartite_matching, minimum_spanning_tree

STEPS_PER_VERTEX = 2000


def wilson(weights: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, bool]:
    """A spanning tree with probability proportional to the product of its edges' weights (Wilson 1996).

    Loop-erased random walks with steps proportional to the weights, from every vertex in turn to the tree so far. Then each
    edge is in the tree with probability exactly its leverage score. The walk runs on the vertices with an edge, component by
    component. Where weights are so uneven that it takes more than 2000 steps a vertex, the tree is finished with the
    heaviest edges instead (Kruskal on weights times exponential noise), whose edges follow the leverages only roughly.

    Args:
        weights: [L, R] >= 0, float64.

    Returns:
        bool [L, R], a spanning forest with (vertices with an edge) - (components) edges; and whether it is exact.
    """
    left, right = weights.shape
    out = [np.cumsum(weights, axis=1), np.cumsum(weights.T, axis=1)]
    in_tree = np.concatenate([weights.sum(axis=1) == 0, weights.sum(axis=0) == 0])  # isolated vertices have no walk
    _root_components(weights, in_tree)
    budget = STEPS_PER_VERTEX * (left + right)
    successor = np.full(left + right, -1)
    draws, used = rng.random(4096), 0
    tree = np.zeros(weights.shape, dtype=bool)
    for start in rng.permutation(left + right):
        vertex = start
        while not in_tree[vertex]:
            if used % 4096 == 0:
                draws = rng.random(4096)
            side = int(vertex >= left)
            reach = out[side][vertex - left * side]
            step = int(np.searchsorted(reach, draws[used % 4096] * reach[-1], side="right"))
            successor[vertex] = min(step, len(reach) - 1) + left * (1 - side)
            vertex = successor[vertex]
            used += 1
            if used > budget:
                return _kruskal(weights, tree, rng), False
        vertex = start
        while not in_tree[vertex]:
            in_tree[vertex] = True
            a, b = sorted((vertex, successor[vertex]))
            tree[a, b - left] = True
            vertex = successor[vertex]
    return tree, True


def _root_components(weights: np.ndarray, in_tree: np.ndarray) -> None:
    """Put one vertex of each component into the tree to begin with."""
    from pruneexp.graphs.bipartite import components, sparse

    _, left, right = components(sparse(weights))
    label = np.concatenate([left, right])
    number, first = np.unique(label, return_index=True)
    in_tree[first[number >= 0]] = True


def _kruskal(weights: np.ndarray, tree: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Complete a forest to a spanning one with heavy edges."""
    rows, columns = np.nonzero(weights)
    cost = rng.exponential(size=len(rows)) / weights[rows, columns]
    # ranks keep the order and cannot underflow; edges of the forest come first
    rank = np.empty(len(rows))
    rank[np.argsort(np.where(tree[rows, columns], 0.0, cost), kind="stable")] = np.arange(1, len(rows) + 1)
    size = sum(weights.shape)
    graph = sp.coo_array((rank, (rows, columns + len(weights))), shape=(size, size)).tocsr()
    chosen = minimum_spanning_tree(graph).tocoo()
    full = np.zeros_like(tree)
    low, high = np.minimum(chosen.row, chosen.col), np.maximum(chosen.row, chosen.col)
    full[low, high - len(weights)] = True
    return full


def cover(weights: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """At most `count` edges that touch as many vertices as they can, heavy ones first.

    Edges between two untouched vertices first (each covers two), then edges that touch one new vertex. Each round every
    untouched vertex on the smaller side proposes its heaviest edge, weights multiplied by independent exponential noise
    to the -1, and the heaviest proposals that do not collide are taken. Where missing edges keep this matching from
    being a maximum one, and the count allows more, a maximum matching takes its place.

    Args:
        weights: [L, R] >= 0.

    Returns:
        bool [L, R] with at most `count` True.
    """
    if weights.shape[0] > weights.shape[1]:
        return cover(weights.T, count, rng).T
    left = len(weights)
    keys = np.where(weights > 0, weights / rng.exponential(size=weights.shape), -np.inf)
    chosen = np.zeros(weights.shape, dtype=bool)
    free = keys.copy()
    while count > 0 and np.isfinite(free).any():
        best = free.argmax(axis=1)
        value = free[np.arange(left), best]
        order = np.argsort(-value, kind="stable")
        order = order[np.isfinite(value[order])]
        _, first = np.unique(best[order], return_index=True)
        rows = order[np.sort(first)][:count]
        chosen[rows, best[rows]] = True
        free[rows, :] = -np.inf
        free[:, best[rows]] = -np.inf
        count -= len(rows)
    if count > 0:
        matching = _maximum_matching(weights, rng)
        if len(matching[0]) > chosen.sum():
            count += int(chosen.sum())
            rows, columns = (side[:count] for side in matching)
            chosen[:] = False
            chosen[rows, columns] = True
            count -= len(rows)
    for axis in (1, 0):  # then every vertex still untouched, by its heaviest edge
        lonely = np.flatnonzero(~chosen.any(axis=axis) & np.isfinite(keys).any(axis=axis))
        best = (keys if axis == 1 else keys.T)[lonely].argmax(axis=1)
        value = (keys if axis == 1 else keys.T)[lonely, best]
        pick = np.argsort(-value, kind="stable")[: max(count, 0)]
        rows, columns = (lonely[pick], best[pick]) if axis == 1 else (best[pick], lonely[pick])
        chosen[rows, columns] = True
        count -= len(pick)
    return chosen


def _maximum_matching(weights: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a maximum matching among the positive weights, in random order."""
    shuffled = rng.permutation(len(weights))
    match = maximum_bipartite_matching(sp.csr_array(weights[shuffled] > 0), perm_type="column")
    return shuffled[match >= 0], match[match >= 0]
