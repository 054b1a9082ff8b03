"""Triangles, 4-cycles, paws, diamonds and complete graphs of four nodes: against all sets of nodes, and in both directions of numbering."""

import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pruneexp.topology.edges import Csr
from pruneexp.topology.motifs import shares
from pruneexp.topology.squares import squares
from tests.properties import PROPERTY


def csr(graph: nx.Graph) -> Csr:
    """Of a graph whose nodes are 0, 1, ..."""
    rows = [sorted(graph[u]) for u in range(len(graph))]
    start = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return Csr(start, np.array([v for row in rows for v in row], dtype=np.int32))


def counted(graph: nx.Graph) -> tuple[int, ...]:
    """Of each kind the subgraphs, set of nodes by set of nodes."""
    kinds = (
        nx.cycle_graph(4),
        nx.Graph([(0, 1), (1, 2), (0, 2), (2, 3)]),
        nx.Graph([(0, 1), (1, 2), (2, 3), (0, 3), (0, 2)]),
    )
    triangles = sum(len(graph.subgraph(nodes).edges) == 3 for nodes in itertools.combinations(graph, 3))
    found = [triangles]
    for kind in (*kinds, nx.complete_graph(4)):
        total = 0
        for nodes in itertools.combinations(graph, 4):
            inside = graph.subgraph(nodes).edges
            for edges in itertools.combinations(inside, len(kind.edges)):
                made = nx.Graph(edges)
                total += len(made) == 4 and nx.is_isomorphic(made, kind)
        found.append(total)
    return tuple(found)


@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.floats(0, 1), st.booleans())
@PROPERTY
def test_they_are_those_of_all_sets_of_nodes(seed: int, nodes: int, density: float, two_sides: bool) -> None:
    graph = nx.gnp_random_graph(nodes, density, seed=seed)
    if two_sides:
        graph.remove_edges_from([(u, v) for u, v in graph.edges if (u + v) % 2 == 0])
    want = counted(graph)
    assert squares(csr(graph)) == want
    backwards = nx.relabel_nodes(graph, {u: nodes - 1 - u for u in graph})
    assert squares(csr(backwards)) == want
    triangles, cycles, paws, diamonds, complete = want
    shared = shares(csr(graph), np.arange(nodes)).sum()
    assert shared == pytest.approx(-3 * (triangles + cycles) - 2 * paws + 4 * diamonds - 6 * complete, abs=1e-9)


@pytest.mark.parametrize("n", [4, 5, 9])
def test_of_a_complete_graph(n: int) -> None:
    choose = [n * (n - 1) * (n - 2) // 6, n * (n - 1) * (n - 2) * (n - 3) // 24]
    assert squares(csr(nx.complete_graph(n))) == (choose[0], 3 * choose[1], 12 * choose[1], 6 * choose[1], choose[1])


def test_of_a_graph_whose_middle_is_its_last_node() -> None:
    # all walks have their middle last: from the other side there are none to make
    star = nx.star_graph(50)
    assert squares(csr(star)) == squares(csr(nx.relabel_nodes(star, {0: 50, 50: 0}))) == (0, 0, 0, 0, 0)
    two = nx.complete_bipartite_graph(2, 50)
    assert squares(csr(two)) == (0, 50 * 49 // 2, 0, 0, 0)
