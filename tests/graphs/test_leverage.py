"""Leverage scores against a pseudo-inverse, against 50 digits, and against what theory says of them."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pruneexp.graphs import leverage_scores
from tests.graphs.oracles import Array, exact_leverages, pseudo_inverse_leverages, rank
from tests.properties import PROPERTY

SHAPES = [(30, 12), (12, 30), (20, 20), (40, 3), (3, 40), (1, 9), (9, 1), (1, 1)]
KINDS = ["uniform", "half zero", "sparse", "integer", "log-uniform"]


def leverages(weights: Array) -> Array:
    result = leverage_scores(torch.from_numpy(weights))
    assert result.dtype == torch.float64
    assert result.shape == weights.shape
    return result.numpy()


def example(kind: str, shape: tuple[int, int], seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    uniform = rng.random(shape) + 1e-3
    if kind == "half zero":
        return uniform * (rng.random(shape) < 0.5)
    if kind == "sparse":
        return uniform * (rng.random(shape) < 2 / min(shape))
    if kind == "integer":
        return rng.integers(0, 4, shape).astype(float)
    if kind == "log-uniform":
        return 10 ** rng.uniform(-6, 0, shape)
    return uniform


def chain_of_clusters(sizes: list[tuple[int, int]], bridge: float, seed: int) -> Array:
    """Complete bipartite clusters with weights near one, each joined to the next by a single edge of weight `bridge`."""
    rng = np.random.default_rng(seed)
    weights = np.zeros((sum(a for a, _ in sizes), sum(b for _, b in sizes)))
    row = column = 0
    for a, b in sizes:
        weights[row : row + a, column : column + b] = rng.uniform(0.5, 1.5, (a, b))
        if column:
            weights[row, column - 1] = bridge
        row, column = row + a, column + b
    return weights


graphs = st.tuples(st.integers(1, 8), st.integers(1, 8)).flatmap(
    lambda shape: arrays(
        np.float64,
        shape,
        elements=st.one_of(st.just(0.0), st.just(1.0), st.floats(-3, 3).map(lambda power: 10.0**power)),
        fill=st.nothing(),
    )
)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_the_pseudo_inverse_to_nine_digits(kind: str, shape: tuple[int, int]) -> None:
    weights = example(kind, shape)
    assert np.abs(leverages(weights) - pseudo_inverse_leverages(weights)).max() < 1e-9


def test_components_are_handled_one_by_one_and_isolated_vertices_left_out() -> None:
    weights = np.zeros((13, 12))
    weights[:4, :2] = example("uniform", (4, 2))  # tall
    weights[4:6, 3:8] = example("half zero", (2, 5), seed=1)  # wide; column 2 is isolated
    weights[7:10, 8:11] = example("uniform", (3, 3), seed=2)  # square; row 6 is isolated
    weights[12, 11] = 5.0  # a single edge; rows 10 and 11 are isolated
    got = leverages(weights)
    assert np.abs(got - pseudo_inverse_leverages(weights)).max() < 1e-9
    assert got[12, 11] == 1
    assert got[:4, :2] == pytest.approx(leverages(weights[:4, :2].copy()), abs=1e-12)
    assert (got[[6, 10, 11]] == 0).all()
    assert (got[:, 2] == 0).all()


@PROPERTY
@given(graphs)
def test_leverages_sum_to_vertices_less_components(weights: Array) -> None:
    assert leverages(weights).sum() == pytest.approx(rank(weights), abs=1e-9)


@PROPERTY
@given(graphs)
def test_leverages_lie_in_the_unit_interval_and_are_positive_exactly_on_edges(weights: Array) -> None:
    got = leverages(weights)
    assert ((got >= 0) & (got <= 1)).all()
    assert ((got > 0) == (weights > 0)).all()


@PROPERTY
@given(graphs)
def test_any_small_graph_agrees_with_the_pseudo_inverse(weights: Array) -> None:
    assert np.abs(leverages(weights) - pseudo_inverse_leverages(weights)).max() < 1e-9


@pytest.mark.parametrize("shape", [(9, 6), (6, 9), (12, 2), (8, 8)])
@pytest.mark.parametrize("seed", range(4))
def test_scores_over_twelve_orders_of_magnitude_agree_with_fifty_digits(shape: tuple[int, int], seed: int) -> None:
    weights = 10 ** np.random.default_rng(seed).uniform(-12, 0, shape)
    want = exact_leverages(weights)
    got = leverages(weights)
    assert np.abs(got - want).max() < 1e-9
    assert np.abs(got / want - 1).max() < 1e-6


@pytest.mark.parametrize("seed", [0, 1, 4, 5, 6])
def test_sparse_scores_over_twelve_orders_of_magnitude_agree_with_fifty_digits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = 10 ** rng.uniform(-12, 0, (10, 9)) * (rng.random((10, 9)) < 0.3)
    want = exact_leverages(weights)
    got = leverages(weights)
    assert np.abs(got - want).max() < 1e-9
    assert np.abs(got[want > 0] / want[want > 0] - 1).max() < 1e-6


def test_strong_pairs_joined_by_weak_links_agree_with_fifty_digits() -> None:
    weights = np.zeros((5, 4))
    weights[0, [0, 1]] = 1.0, 3e-7
    weights[1, [1, 2]] = 1.0, 1e-10
    weights[2, [2, 3]] = 1.0, 1e-3
    weights[3, [0, 3]] = 1e-12, 1.0
    weights[4, 1] = 1e-8
    assert np.abs(leverages(weights) - exact_leverages(weights)).max() < 1e-9


@pytest.mark.parametrize("bridge", [1e-6, 1e-12, 1e-15])
@pytest.mark.parametrize(
    "sizes",
    [[(3, 2), (2, 3)], [(2, 2)] * 4, [(4, 1), (1, 3), (2, 2), (3, 3)], [(1, 2)] * 5],
    ids=["two", "four", "mixed", "stars"],
)
def test_a_chain_of_weak_bridges_agrees_with_fifty_digits(sizes: list[tuple[int, int]], bridge: float) -> None:
    weights = chain_of_clusters(sizes, bridge, seed=0)
    want = exact_leverages(weights)
    got = leverages(weights)
    assert np.abs(got - want).max() < 1e-9
    assert got[weights == bridge] == pytest.approx(1.0, abs=1e-9)


def test_bridges_each_far_weaker_than_the_one_before_agree_with_fifty_digits() -> None:
    weights = chain_of_clusters([(2, 2)] * 4, 1.0, seed=3)
    for k, (row, column) in enumerate([(2, 1), (4, 3), (6, 5)]):
        weights[row, column] = 10.0 ** (-6 * (k + 1))
    assert np.abs(leverages(weights) - exact_leverages(weights)).max() < 1e-9


def test_two_weak_parallel_bridges_share_their_leverage_as_resistors_do() -> None:
    weights = chain_of_clusters([(3, 3), (3, 3)], 1e-12, seed=1)
    weights[1, 5] = 3e-12
    got = leverages(weights)
    assert got[3, 2] == pytest.approx(0.25, abs=1e-9)
    assert got[1, 5] == pytest.approx(0.75, abs=1e-9)


def test_every_edge_of_a_tree_has_leverage_one() -> None:
    path = np.eye(6) + np.eye(6, k=1)
    star = np.ones((1, 7))
    assert np.abs(leverages(path * 0.37)[path > 0] - 1).max() < 1e-12
    assert np.abs(leverages(star * 12.0) - 1).max() < 1e-12


def test_cycles_and_complete_graphs_have_their_closed_forms() -> None:
    cycle = np.eye(5) + np.roll(np.eye(5), 1, axis=1)
    assert leverages(cycle)[cycle > 0] == pytest.approx(9 / 10, abs=1e-12)
    assert leverages(np.full((4, 6), 0.3)) == pytest.approx((4 + 6 - 1) / (4 * 6), abs=1e-12)


@PROPERTY
@given(graphs)
def test_swapping_the_sides_transposes_the_leverages(weights: Array) -> None:
    assert np.abs(leverages(np.ascontiguousarray(weights.T)).T - leverages(weights)).max() < 1e-10


@PROPERTY
@given(graphs, st.randoms(use_true_random=False))
def test_renumbering_the_vertices_renumbers_the_leverages(weights: Array, shuffler: random.Random) -> None:
    rows, columns = list(range(weights.shape[0])), list(range(weights.shape[1]))
    shuffler.shuffle(rows)
    shuffler.shuffle(columns)
    there = np.ix_(rows, columns)
    assert np.abs(leverages(weights[there]) - leverages(weights)[there]).max() < 1e-10


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150])
def test_the_unit_of_the_scores_does_not_matter(scale: float) -> None:
    weights = example("half zero", (9, 7))
    assert np.abs(leverages(weights * scale) - leverages(weights)).max() < 1e-12


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool])
def test_other_number_types_are_computed_in_float64(dtype: torch.dtype) -> None:
    scores = torch.tensor([[1, 0, 2], [3, 1, 0], [0, 1, 1], [2, 2, 1]]).to(dtype)
    want = pseudo_inverse_leverages(scores.double().numpy())
    got = leverage_scores(scores)
    assert got.dtype == torch.float64
    assert np.abs(got.numpy() - want).max() < 1e-12


def test_lists_and_arrays_are_taken_too() -> None:
    want = leverage_scores(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert torch.equal(leverage_scores([[1.0, 2.0], [3.0, 4.0]]), want)  # type: ignore[arg-type]
    assert torch.equal(leverage_scores(np.array([[1.0, 2.0], [3.0, 4.0]])), want)  # type: ignore[arg-type]


def test_the_scores_are_left_as_they_are_and_no_gradient_flows() -> None:
    scores = torch.rand(6, 4, dtype=torch.float64).requires_grad_()
    before = scores.detach().clone()
    assert not leverage_scores(scores).requires_grad
    assert torch.equal(scores.detach(), before)


def test_a_graph_without_edges_has_no_leverage() -> None:
    assert leverages(np.zeros((4, 3))).sum() == 0


@pytest.mark.parametrize("bad", [-1e-300, -1.0, np.nan, np.inf])
def test_a_negative_or_non_finite_score_is_refused(bad: float) -> None:
    weights = np.ones((3, 2))
    weights[1, 1] = bad
    with pytest.raises(ValueError, match="finite and non-negative"):
        leverage_scores(torch.from_numpy(weights))


@pytest.mark.parametrize("shape", [(), (4,), (2, 2, 2), (4, 3, 3, 3)])
def test_anything_but_a_matrix_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="matrix"):
        leverage_scores(torch.ones(shape))


def test_subnormal_scores_have_leverages_like_any_other() -> None:
    assert leverages(np.full((3, 2), 1e-310)) == pytest.approx(4 / 6, abs=1e-9)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_a_side_without_vertices_gives_an_empty_matrix(shape: tuple[int, int]) -> None:
    assert leverage_scores(torch.zeros(shape)).shape == shape


@pytest.mark.parametrize("shape", [(12, 8), (8, 12)])
def test_a_few_zeros_take_no_search_for_components(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Which would need several times the memory of the weights."""
    weights = np.random.default_rng(3).random(shape)
    weights[0, :5] = weights[3, 2] = 0.0
    monkeypatch.setattr("pruneexp.graphs.leverage.components", lambda _: pytest.fail("searched"))
    got = leverage_scores(torch.from_numpy(weights))
    assert np.abs(got.numpy() - pseudo_inverse_leverages(weights)).max() < 1e-12
