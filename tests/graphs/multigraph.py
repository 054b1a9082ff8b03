"""Graphs given by their edges, parallel ones included: leverages from the definition, in floating point and with 50 digits."""

from collections.abc import Sequence

import mpmath
import networkx as nx
import numpy as np
import torch

from tests.graphs.oracles import Array

Edge = tuple[int, int, float]
Vertices = tuple[torch.Tensor, torch.Tensor]


def edges_of(scores: Sequence[torch.Tensor], wiring: Sequence[Vertices]) -> list[Edge]:
    """One edge for each weight of each layer [C_out, C_in / groups, ...], in the order of the weights."""
    edges = []
    for score, (sources, targets) in zip(scores, wiring, strict=True):
        for o, row in enumerate(score.reshape(*score.shape[:2], -1).tolist()):
            for i, kernel in enumerate(row):
                source = int(sources[o if len(sources) > 1 else 0, i])
                edges += [(source, int(targets[o]), weight) for weight in kernel]
    return edges


def graph_of(edges: Sequence[Edge]) -> nx.MultiGraph:
    graph = nx.MultiGraph()
    graph.add_edges_from((u, v) for u, v, weight in edges if weight > 0)
    return graph


def rank(edges: Sequence[Edge]) -> int:
    """Vertices with an edge less components."""
    graph = graph_of(edges)
    return len(graph) - nx.number_connected_components(graph)


def leverages(edges: Sequence[Edge]) -> Array:
    """w (e_u - e_v)^T L^+ (e_u - e_v) of every edge, by numpy's pseudo-inverse of each component."""
    at: dict[int, tuple[int, int]] = {}
    inverse: dict[int, Array] = {}
    for number, part in enumerate(nx.connected_components(graph_of(edges))):
        at.update({vertex: (number, k) for k, vertex in enumerate(sorted(part))})
        inverse[number] = np.zeros((len(part), len(part)))
    for u, v, weight in edges:
        if weight > 0:
            (number, i), (_, j) = at[u], at[v]
            inverse[number][[i, j], [i, j]] += weight
            inverse[number][[i, j], [j, i]] -= weight
    for number, lap in inverse.items():
        inverse[number] = np.asarray(np.linalg.pinv(lap, hermitian=True))
    result = np.zeros(len(edges))
    for k, (u, v, weight) in enumerate(edges):
        if weight > 0:
            (number, i), (_, j) = at[u], at[v]
            z = inverse[number]
            result[k] = weight * (z[i, i] + z[j, j] - 2 * z[i, j])
    return result


def exact_leverages(edges: Sequence[Edge]) -> Array:
    """The same with 50 digits, one vertex of each component grounded."""
    result = np.zeros(len(edges))
    with mpmath.workdps(50):
        for part in nx.connected_components(graph_of(edges)):
            at = {vertex: i for i, vertex in enumerate(sorted(part)[1:])}
            inside = [k for k, (u, _, weight) in enumerate(edges) if u in part and weight > 0]
            lap = mpmath.matrix(len(at))
            for u, v, weight in (edges[k] for k in inside):
                for vertex in {u, v} & at.keys():
                    lap[at[vertex], at[vertex]] += mpmath.mpf(weight)
                if u in at and v in at:
                    lap[at[u], at[v]] -= mpmath.mpf(weight)
                    lap[at[v], at[u]] -= mpmath.mpf(weight)
            z = lap**-1
            for k in inside:
                u, v, weight = edges[k]
                own = [z[at[w], at[w]] if w in at else mpmath.mpf(0) for w in (u, v)]
                mixed = z[at[u], at[v]] if u in at and v in at else mpmath.mpf(0)
                result[k] = float(mpmath.mpf(weight) * (own[0] + own[1] - 2 * mixed))
    return result
