"""Spectral quantities against dense solvers, literal definitions and closed forms."""

import math
from collections.abc import Callable
from typing import Any

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pruneexp.graphs import bound_gap, imdb, imdb_norm, lambda2
from pruneexp.graphs.spectrum import mean_degrees, top_singular_values
from tests.graphs.oracles import (
    Array,
    array_code,
    literal_bound_gap,
    literal_imdb,
    second_laplacian_eigenvalue,
)
from tests.properties import PROPERTY

Measure = Callable[[Any], float]

# a singular value whose square is lost in rounding is known to about this
ROOT_OF_ROUNDING = 1e-7


def random_graph(seed: int, shape: tuple[int, int], share: float, weighted: bool) -> Array:
    rng = np.random.default_rng(seed)
    weights = rng.random(shape) + 0.1 if weighted else np.ones(shape)
    return weights * (rng.random(shape) < share)


def zero_one(largest: int) -> st.SearchStrategy[Array]:
    return st.tuples(st.integers(1, largest), st.integers(1, largest)).flatmap(
        lambda shape: arrays(np.float64, shape, elements=st.sampled_from([0.0, 1.0, 1.0]), fill=st.nothing())
    )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("share", [0.15, 0.4, 1.0])
@pytest.mark.parametrize("shape", [(25, 12), (12, 25), (18, 18), (60, 2)])
def test_lambda2_agrees_with_the_dense_normalised_laplacian(
    shape: tuple[int, int], share: float, weighted: bool
) -> None:
    for seed in range(3):
        weights = random_graph(seed, shape, share, weighted)
        assert lambda2(weights) == pytest.approx(second_laplacian_eigenvalue(weights), abs=1e-9)


@PROPERTY
@given(zero_one(7))
def test_lambda2_of_any_small_graph_is_that_of_its_largest_component(weights: Array) -> None:
    sizes = sorted(len(part) for part in nx.connected_components(_graph(weights)))
    if len(sizes) == 1 or sizes[-1] > sizes[-2]:  # of equals, the next test
        want = second_laplacian_eigenvalue(weights)
        assert lambda2(weights) == pytest.approx(want, abs=ROOT_OF_ROUNDING, nan_ok=True)


def _graph(weights: Array) -> nx.Graph:
    return nx.bipartite.from_biadjacency_matrix(sp.csr_array(weights))


def test_of_equally_large_components_lambda2_takes_the_first() -> None:
    star, path = np.ones((1, 3)), np.array([[1.0, 1.0], [0.0, 1.0]])
    zeros = np.zeros
    star_first = np.block([[star, zeros((1, 2))], [zeros((2, 3)), path]])
    path_first = np.block([[path, zeros((2, 3))], [zeros((1, 2)), star]])
    assert lambda2(star_first) == pytest.approx(1.0, abs=1e-12)
    assert lambda2(path_first) == pytest.approx(second_laplacian_eigenvalue(path), abs=1e-12)
    assert lambda2(path_first) < 0.9


@pytest.mark.parametrize("weight", [1.0, 1e-9, 250.0])
def test_a_single_edge_has_lambda2_two(weight: float) -> None:
    assert lambda2(np.array([[weight]])) == 2
    assert lambda2(np.diag([weight, weight, weight])) == 2
    assert lambda2(np.array([[0.0, 0.0], [weight, 0.0]])) == 2


@pytest.mark.parametrize("leaves", [2, 3, 50])
def test_a_star_has_lambda2_one(leaves: int) -> None:
    weights = np.random.default_rng(leaves).random((1, leaves)) + 0.1
    assert lambda2(weights) == pytest.approx(1.0, abs=1e-12)
    assert lambda2(weights.T) == pytest.approx(1.0, abs=1e-12)


def test_a_layer_without_edges_has_no_number() -> None:
    for matrix in (np.zeros((3, 4)), np.zeros((0, 4))):
        assert math.isnan(lambda2(matrix))
        assert math.isnan(bound_gap(matrix))
        assert math.isnan(imdb(matrix))


@pytest.mark.parametrize("half", [3, 4, 10])
def test_a_cycle_has_lambda2_one_minus_cosine(half: int) -> None:
    cycle = np.eye(half) + np.roll(np.eye(half), 1, axis=1)
    assert lambda2(cycle) == pytest.approx(1 - math.cos(2 * math.pi / (2 * half)), abs=1e-12)


def test_a_weak_bridge_makes_lambda2_small_but_not_negative() -> None:
    weights = np.zeros((4, 4))
    weights[:2, :2] = weights[2:, 2:] = 1.0
    for bridge in (1e-3, 1e-6, 1e-9, 1e-12, 1e-20):
        weights[1, 2] = bridge
        assert lambda2(weights) == pytest.approx(second_laplacian_eigenvalue(weights), abs=1e-14)
        assert lambda2(weights) >= 0


def test_the_unit_of_the_weights_does_not_matter_to_lambda2() -> None:
    weights = random_graph(0, (12, 9), 0.4, weighted=True)
    assert lambda2(weights * 1e-30) == pytest.approx(lambda2(weights), abs=1e-12)


@pytest.mark.parametrize("measure", [lambda2, bound_gap, imdb, imdb_norm])
def test_arrays_tensors_and_sparse_matrices_give_the_same_number(measure: Measure) -> None:
    weights = random_graph(3, (14, 8), 0.6, weighted=False)
    want = measure(weights)
    forms = [torch.from_numpy(weights), torch.from_numpy(weights).bool(), torch.from_numpy(weights).float()]
    assert [measure(form) for form in forms] == [want] * 3
    assert [measure(form) for form in (sp.csr_array(weights), sp.coo_array(weights), weights > 0)] == [want] * 3


@pytest.mark.parametrize("measure", [lambda2, bound_gap, imdb, imdb_norm])
def test_explicit_zeros_of_a_sparse_matrix_are_no_edges(measure: Measure) -> None:
    weights = random_graph(4, (30, 6), 0.6, weighted=False)
    padded = sp.csr_array(weights + 1.0)
    padded.data -= 1.0
    assert measure(padded) == measure(weights)


@pytest.mark.parametrize(
    ("measure", "form"),
    [(measure, form) for measure in (lambda2, bound_gap, imdb) for form in (np.asarray, torch.from_numpy, sp.coo_array)]
    + [(lambda2, sp.csr_array)]
    + [pytest.param(measure, sp.csr_array) for measure in (bound_gap, imdb)],
)
def test_measuring_leaves_the_weights_as_they_are(measure: Measure, form: Callable[[Array], Any]) -> None:
    weights = random_graph(5, (9, 8), 0.7, weighted=True)
    matrix = form(weights.copy())
    measure(matrix)
    after = matrix.toarray() if sp.issparse(matrix) else np.asarray(matrix)
    assert (after == weights).all()


@PROPERTY
@given(zero_one(9))
def test_bound_gap_is_its_definition(weights: Array) -> None:
    assert bound_gap(weights) == pytest.approx(literal_bound_gap(weights), abs=ROOT_OF_ROUNDING, nan_ok=True)


def test_bound_gap_looks_at_edges_and_not_at_weights() -> None:
    weights = random_graph(1, (15, 10), 0.5, weighted=True)
    assert bound_gap(weights) == bound_gap(weights > 0)
    assert bound_gap(weights) == pytest.approx(literal_bound_gap(weights), abs=1e-9)


def test_mean_degrees_do_not_count_isolated_vertices() -> None:
    assert mean_degrees(sp.csr_array(np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]))) == (1.5, 1.5)


@PROPERTY
@given(zero_one(9))
def test_imdb_is_its_definition(weights: Array) -> None:
    assert imdb(weights) == pytest.approx(literal_imdb(weights), abs=ROOT_OF_ROUNDING, nan_ok=True)


@PROPERTY
@given(zero_one(9), st.integers(1, 4))
def test_normalised_imdb_is_its_definition_and_at_most_one(weights: Array, fewest: int) -> None:
    found = imdb_norm(weights, fewest)
    assert found == pytest.approx(literal_imdb(weights, fewest, norm=True), abs=ROOT_OF_ROUNDING, nan_ok=True)
    assert math.isnan(found) or found <= 1
    assert math.isnan(found) == math.isnan(imdb(weights, fewest))


@pytest.mark.parametrize("seed", range(6))
def test_imdb_of_larger_random_graphs_is_its_definition(seed: int) -> None:
    weights = random_graph(seed, (40, 12), 0.35, weighted=True)
    assert imdb(weights) == pytest.approx(literal_imdb(weights), abs=1e-9)
    assert imdb_norm(weights) == pytest.approx(literal_imdb(weights, norm=True), abs=1e-9)
    assert not math.isnan(imdb(weights))


def test_degrees_that_fewer_left_vertices_have_are_passed_over() -> None:
    mixed = np.zeros((7, 6))
    mixed[:3] = 1.0  # three vertices of degree 6, a complete graph
    mixed[3:, :4] = 1.0  # four of degree 4, another
    of_three, of_four = math.sqrt(5) + math.sqrt(2), 2 * math.sqrt(3)
    assert [imdb(mixed, fewest) for fewest in (1, 3)] == pytest.approx([(of_three + of_four) / 2] * 2)
    assert imdb(mixed, 4) == pytest.approx(of_four)
    assert math.isnan(imdb(mixed, 5))


def test_imdb_needs_both_mean_degrees_at_least_three() -> None:
    assert imdb(np.ones((3, 3))) == pytest.approx(2 * math.sqrt(2), abs=1e-7)
    assert math.isnan(imdb(np.ones((3, 2))))  # left degree 2
    assert math.isnan(imdb(np.ones((2, 3))))  # mean right degree 2
    # the subgraph of left degree 3 counts, the one of degree 4 has right degree 1
    mixed = np.zeros((4, 7))
    mixed[:3, :3] = 1.0
    mixed[3, 3:] = 1.0
    assert imdb(mixed) == pytest.approx(2 * math.sqrt(2), abs=1e-7)


@pytest.mark.parametrize(("q", "length"), [(3, 2), (3, 3), (3, 7), (5, 2), (5, 4), (5, 5), (5, 6), (5, 11), (7, 9)])
def test_array_code_graphs_have_their_closed_form(q: int, length: int) -> None:
    graph = array_code(q, length)
    assert graph.shape == (q * q, length * q)
    assert (graph.sum(axis=1) == length).all()
    assert (graph.sum(axis=0) == q).all()
    first, second = math.sqrt(q * length), math.sqrt(q * math.ceil(length / q))
    bound = math.sqrt(length - 1) + math.sqrt(q - 1)
    assert top_singular_values(sp.csr_array(graph)) == pytest.approx([first, second], abs=1e-9)
    assert bound_gap(graph) == pytest.approx(bound - second, abs=1e-9)
    assert bound_gap(graph) >= 0
    assert lambda2(graph) == pytest.approx(1 - second / first, abs=1e-9)
    if length >= 3:
        # biregular: its only regular subgraph is itself
        assert imdb(graph) == pytest.approx(bound - second, abs=1e-9)
        assert imdb_norm(graph) == pytest.approx(1 - second / bound, abs=1e-9)


@pytest.mark.parametrize("shape", [(30, 9), (9, 30), (1, 5), (4, 4)])
@pytest.mark.parametrize("share", [0.04, 0.5])
def test_top_singular_values_agree_with_the_dense_decomposition(shape: tuple[int, int], share: float) -> None:
    weights = random_graph(2, shape, share, weighted=True)
    want = np.append(np.linalg.svd(weights, compute_uv=False), [0.0, 0.0])[:2]
    assert top_singular_values(sp.csr_array(weights)) == pytest.approx(want, abs=1e-9)
