"""Random spanning trees: forests that span, drawn as often as the leverages say; and covers that touch what they can."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pruneexp.graphs import spanning_tree
from pruneexp.graphs.spanning_tree import cover, wilson
from tests.graphs.oracles import Array, bipartite, exact_leverages, rank, sampling_error
from tests.properties import PROPERTY

graphs = st.tuples(st.integers(1, 7), st.integers(1, 7)).flatmap(
    lambda shape: arrays(
        np.float64,
        shape,
        elements=st.one_of(st.just(0.0), st.just(1.0), st.floats(-2, 2).map(lambda power: 10.0**power)),
        fill=st.nothing(),
    )
)


def spans(tree: Array, weights: Array) -> bool:
    """A forest of the graph's edges with the graph's components."""
    forest, graph = bipartite(tree.astype(float)), bipartite(weights)
    return (
        tree.dtype == bool
        and tree.shape == weights.shape
        and not (tree & (weights == 0)).any()
        and int(tree.sum()) == rank(weights)
        and set(map(frozenset, nx.connected_components(forest))) == set(map(frozenset, nx.connected_components(graph)))
    )


def two_components() -> Array:
    weights = np.zeros((6, 6))
    weights[:3, :2] = [[1.0, 0.2], [3.0, 1.0], [0.5, 2.0]]
    weights[3:5, 3:6] = [[1.0, 4.0, 0.1], [2.0, 1.0, 0.3]]  # row 5 and column 2 have no edge
    return weights


@settings(PROPERTY, max_examples=30)
@given(graphs, st.integers(0, 1000))
def test_the_draw_is_an_exact_spanning_forest(weights: Array, seed: int) -> None:
    before = weights.copy()
    tree, exact = wilson(weights, np.random.default_rng(seed))
    assert spans(tree, weights)
    assert exact
    assert np.array_equal(weights, before)


@pytest.mark.parametrize(
    "weights",
    [
        np.array([[1.0, 0.3, 2.0], [0.1, 1.0, 1.0], [5.0, 0.5, 0.2], [1.0, 0.0, 1.0]]),
        10 ** np.random.default_rng(0).uniform(-2, 0, (3, 6)),
        two_components(),
    ],
    ids=["dense", "wide", "two components"],
)
def test_edges_are_drawn_as_often_as_their_leverages_say(weights: Array) -> None:
    draws, rng = 1200, np.random.default_rng(1)
    taken = sum(wilson(weights, rng)[0].astype(float) for _ in range(draws))
    want = exact_leverages(weights)
    assert (np.abs(taken / draws - want) <= sampling_error(np.clip(want, 0, 1), draws)).all()


def test_trees_are_drawn_with_probability_proportional_to_the_product_of_their_weights() -> None:
    weights = np.array([[1.0, 2.0], [3.0, 0.5]])  # a cycle: each spanning tree leaves one edge out
    left_out = 1 / weights
    want = left_out / left_out.sum()
    draws, rng = 1200, np.random.default_rng(2)
    missing = sum((~wilson(weights, rng)[0]).astype(float) for _ in range(draws))
    assert (np.abs(missing / draws - want) <= sampling_error(want, draws)).all()


def test_a_bridge_is_in_every_tree_however_weak() -> None:
    weights = np.zeros((4, 4))
    weights[:2, :2] = weights[2:, 2:] = 1.0
    weights[0, 3] = 1e-2
    for seed in range(20):
        tree, exact = wilson(weights, np.random.default_rng(seed))
        assert exact
        assert tree[0, 3]


def test_a_graph_without_edges_has_an_empty_tree() -> None:
    tree, exact = wilson(np.zeros((3, 2)), np.random.default_rng(0))
    assert not tree.any()
    assert exact


@settings(PROPERTY, max_examples=30)
@given(graphs, st.integers(0, 1000))
def test_where_the_walk_takes_too_long_the_forest_is_finished_otherwise_and_this_is_said(
    weights: Array, seed: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spanning_tree, "STEPS_PER_VERTEX", 0)
        tree, exact = wilson(weights, np.random.default_rng(seed))
    assert spans(tree, weights)
    assert exact == (rank(weights) == 0)


def test_a_walk_stopped_half_way_keeps_its_part_and_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spanning_tree, "STEPS_PER_VERTEX", 1)
    weights = np.random.default_rng(0).random((30, 30)) + 0.1
    ends = []
    for seed in range(20):
        tree, exact = wilson(weights, np.random.default_rng(seed))
        assert spans(tree, weights)
        ends.append(exact)
    assert not all(ends)


@pytest.mark.parametrize("bridge", [1e-30, 1e-300])
def test_weights_too_uneven_to_walk_on_still_give_a_spanning_tree(
    bridge: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spanning_tree, "STEPS_PER_VERTEX", 50)
    weights = np.zeros((4, 4))
    weights[:2, :2] = weights[2:, 2:] = 1.0
    weights[0, 3] = bridge
    for seed in range(10):
        tree, exact = wilson(weights, np.random.default_rng(seed))
        assert spans(tree, weights)
        assert not exact


def test_the_fallback_prefers_heavy_edges() -> None:
    weights = np.array([[1e6, 1.0], [1.0, 1e6]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spanning_tree, "STEPS_PER_VERTEX", 0)
        trees = [wilson(weights, np.random.default_rng(seed))[0] for seed in range(50)]
    assert sum(bool(tree[0, 0] and tree[1, 1]) for tree in trees) >= 49


# covers


def covered(chosen: Array) -> int:
    return int(chosen.any(axis=0).sum() + chosen.any(axis=1).sum())


@pytest.mark.parametrize("shape", [(4, 7), (7, 4), (5, 5), (1, 6), (6, 1), (1, 1)])
def test_a_cover_of_a_complete_graph_touches_as_many_vertices_as_it_can(shape: tuple[int, int]) -> None:
    small, large = min(shape), max(shape)
    rng = np.random.default_rng(0)
    for count in range(large + 4):
        chosen = cover(rng.random(shape) + 0.1, count, rng)
        assert chosen.shape == shape
        assert chosen.sum() <= count
        # a matching's edges cover two vertices each, the larger side's others one
        assert covered(chosen) == min(count, small) + min(count, large)


@settings(PROPERTY, max_examples=30)
@given(graphs, st.integers(0, 12), st.integers(0, 1000))
def test_a_cover_keeps_to_the_edges_and_the_count(weights: Array, count: int, seed: int) -> None:
    chosen = cover(weights, count, np.random.default_rng(seed))
    assert chosen.sum() <= count
    assert not (chosen & (weights == 0)).any()
    # while a vertex with an edge is left untouched, every edge of the budget is used, and covers something new
    vertices = int(weights.any(axis=0).sum() + weights.any(axis=1).sum())
    if covered(chosen) < vertices:
        assert chosen.sum() == count
    assert covered(chosen) >= chosen.sum()


def test_a_cover_takes_heavy_edges_first() -> None:
    weights = np.full((5, 5), 1e-6)
    weights[np.arange(5), np.arange(5)] = 1e6
    for seed in range(20):
        assert np.array_equal(cover(weights, 5, np.random.default_rng(seed)), np.eye(5, dtype=bool))
