"""Slow and literal versions of what pruneexp.graphs computes, from the definitions alone."""

import math

import mpmath
import networkx as nx
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def laplacian(weights: Array) -> Array:
    """D - A of the bipartite graph with edge weights [L, R], left vertices first."""
    left, right = weights.shape
    adjacency = np.zeros((left + right, left + right))
    adjacency[:left, left:] = weights
    adjacency[left:, :left] = weights.T
    return np.diag(adjacency.sum(axis=1)) - adjacency


def bipartite(weights: Array) -> nx.Graph:
    """The graph: left vertices 0 .. L-1, right ones L .. L+R-1, those without an edge included."""
    left, right = weights.shape
    graph = nx.Graph()
    graph.add_nodes_from(range(left + right))
    graph.add_weighted_edges_from((u, left + v, weights[u, v]) for u, v in zip(*np.nonzero(weights), strict=True))
    return graph


def rank(weights: Array) -> int:
    """Vertices with an edge less components that have one: what a layer's leverages sum to."""
    graph = bipartite(weights)
    return len(graph) - nx.number_connected_components(graph)


def pseudo_inverse_leverages(weights: Array) -> Array:
    """S_uv (e_u - e_v)^T (D - A)^+ (e_u - e_v), by an eigendecomposition whose kernel's dimension is known."""
    left, right = weights.shape
    values, vectors = np.linalg.eigh(laplacian(weights))
    kernel = left + right - rank(weights)
    inverse = (vectors[:, kernel:] / values[kernel:]) @ vectors[:, kernel:].T
    diagonal = inverse.diagonal()
    return weights * (diagonal[:left, None] + diagonal[None, left:] - 2 * inverse[:left, left:])


def exact_leverages(weights: Array) -> Array:
    """The same with 50 digits, one vertex of each component grounded."""
    left = len(weights)
    result = np.zeros(weights.shape)
    with mpmath.workdps(50):
        exact = mpmath.matrix(weights.tolist())
        for part in nx.connected_components(bipartite(weights)):
            vertices = sorted(part)[1:]
            if not vertices:
                continue
            lap = mpmath.matrix(len(vertices))
            for i, u in enumerate(vertices):
                for v in part:
                    if (u < left) != (v < left):
                        weight = exact[min(u, v), max(u, v) - left]
                        lap[i, i] += weight
                        if v in vertices:
                            lap[i, vertices.index(v)] = -weight
            inverse = lap**-1
            at = {vertex: i for i, vertex in enumerate(vertices)}

            def entry(u: int, v: int, inverse: mpmath.matrix = inverse, at: dict[int, int] = at) -> mpmath.mpf:
                return inverse[at[u], at[v]] if u in at and v in at else mpmath.mpf(0)

            for u, v in zip(*np.nonzero(weights), strict=True):
                if u in part:
                    resistance = entry(u, u) + entry(left + v, left + v) - 2 * entry(u, left + v)
                    result[u, v] = float(exact[int(u), int(v)] * resistance)
    return result


def bisected_probabilities(weights: Array, count: float) -> Array:
    """min(1, eps w) with the eps at which they sum to `count`, by bisection on log eps."""
    positive = weights[weights > 0]
    low, high = -math.log(positive.max()) - 60, -math.log(positive.min()) + 60
    for _ in range(200):
        middle = (low + high) / 2
        if math.fsum(np.minimum(1.0, math.exp(middle) * positive)) < count:
            low = middle
        else:
            high = middle
    return np.minimum(1.0, math.exp(low) * weights)


def second_laplacian_eigenvalue(weights: Array) -> float:
    """lambda_2 of the normalised Laplacian on the component with most vertices, by numpy's dense solver."""
    graph = bipartite(weights)
    part = max(nx.connected_components(graph), key=len)
    if len(part) == 1:
        return math.nan
    return float(np.linalg.eigvalsh(nx.normalized_laplacian_matrix(graph.subgraph(part)).toarray())[1])


def literal_bound_gap(weights: Array) -> float:
    """sqrt(d_L - 1) + sqrt(d_R - 1) - sigma_2 of the 0/1 graph, mean degrees over the vertices with an edge."""
    edges = weights > 0
    if not edges.any():
        return math.nan
    left = [int(degree) for degree in edges.sum(axis=1) if degree]
    right = [int(degree) for degree in edges.sum(axis=0) if degree]
    sigma = [*np.linalg.svd(edges.astype(float), compute_uv=False), 0.0]
    return math.sqrt(sum(left) / len(left) - 1) + math.sqrt(sum(right) / len(right) - 1) - float(sigma[1])


def literal_imdb(weights: Array, fewest: int = 1, norm: bool = False) -> float:
    """For each left degree, the left vertices of that degree and all their neighbours; mean gap, or gap over bound, of those that count."""
    neighbours = [np.flatnonzero(row).tolist() for row in weights]
    gaps = []
    for degree in {len(found) for found in neighbours}:
        rows = [u for u, found in enumerate(neighbours) if len(found) == degree]
        columns = sorted({v for u in rows for v in neighbours[u]})
        edges = degree * len(rows)
        if edges and len(rows) >= fewest and edges / len(rows) >= 3 and edges / len(columns) >= 3:
            bound = math.sqrt(degree - 1) + math.sqrt(edges / len(columns) - 1)
            gaps.append(literal_bound_gap(weights[np.ix_(rows, columns)]) / (bound if norm else 1))
    return sum(gaps) / len(gaps) if gaps else math.nan


def array_code(q: int, length: int) -> Array:
    """B(q, l): blocks P^{ij}, i < q, j < l, P the q x q cyclic shift; q^2 x lq, degrees (l, q)."""
    shift = np.roll(np.eye(q), 1, axis=1)
    return np.block(
        [[np.linalg.matrix_power(shift, i * j % q) for j in range(length)] for i in range(q)],
    )


def sampling_error(p: Array, draws: int) -> Array:
    """How far a frequency over independent draws may be from p: Bernstein, failing once in 10^9 for all p together."""
    log = math.log(2 * p.size / 1e-9)
    return np.sqrt(2 * p * (1 - p) * log / draws) + 2 * log / (3 * draws)
