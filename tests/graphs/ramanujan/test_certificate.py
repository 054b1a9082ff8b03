"""What a certificate says, on graphs that are Ramanujan and on those that fail for one reason each."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pruneexp.graphs.ramanujan import RamanujanGraph, array_code, certificate, certify, galois_array_code, lps
from pruneexp.graphs.ramanujan.array_code import array_code_matrix
from pruneexp.graphs.ramanujan.random_biregular import random_biregular
from tests.graphs.oracles import Array
from tests.graphs.ramanujan.literal import assert_as_measured
from tests.properties import PROPERTY
from tests.test_docstrings import WITH_EXAMPLES


def zero_one(largest: int) -> st.SearchStrategy[Array]:
    return st.tuples(st.integers(2, largest), st.integers(2, largest)).flatmap(
        lambda shape: arrays(np.float64, shape, elements=st.sampled_from([0.0, 1.0, 1.0]), fill=st.nothing())
    )


def two_blobs(size: int) -> Array:
    """Two complete bipartite graphs that have traded one edge each for the two between them: still regular."""
    matrix = scipy.linalg.block_diag(np.ones((size, size)), np.ones((size, size)))
    matrix[0, 0] = matrix[size, size] = 0
    matrix[0, size] = matrix[size, 0] = 1
    return np.asarray(matrix)


# where the answer is no, and why


def test_two_components_are_not_ramanujan() -> None:
    square = np.ones((2, 2))
    graph = certify("two cycles", scipy.linalg.block_diag(square, square))
    assert_as_measured(graph)
    assert graph.components == 2
    assert graph.sigma2 == pytest.approx(graph.bound) == 2.0
    assert not graph.is_ramanujan
    assert certify("a cycle", square).is_ramanujan


def test_two_components_of_a_good_graph_are_not_ramanujan() -> None:
    good = array_code_matrix(5, 3).toarray()
    graph = certify("two", scipy.linalg.block_diag(good, good))
    assert_as_measured(graph)
    assert graph.sigma2 == pytest.approx(graph.sigma1)
    assert graph.components == 2
    assert not graph.is_ramanujan


def test_a_vertex_of_degree_one_is_not_ramanujan() -> None:
    matrix = np.ones((6, 5))
    matrix[5, 1:] = 0
    for dense in (matrix, matrix.T):
        graph = certify("pendant", dense)
        assert_as_measured(graph)
        assert graph.components == 1
        assert graph.sigma2 < graph.bound
        assert not graph.is_ramanujan


def test_a_vertex_without_an_edge_is_not_ramanujan_and_no_component() -> None:
    matrix = np.ones((6, 5))
    matrix[5] = 0
    for dense in (matrix, matrix.T):
        graph = certify("isolated", dense)
        assert graph.components == 1
        assert min(graph.row_degrees.min(), graph.column_degrees.min()) == 0
        assert graph.sigma2 < graph.bound
        assert not graph.is_ramanujan


def test_a_bottleneck_is_not_ramanujan() -> None:
    graph = certify("blobs", two_blobs(8))
    assert_as_measured(graph)
    assert graph.components == 1
    assert set(graph.row_degrees) == set(graph.column_degrees) == {8}
    assert graph.sigma2 > graph.bound == pytest.approx(2 * math.sqrt(7))
    assert graph.ratio == pytest.approx(graph.sigma2 / graph.bound)
    assert not graph.is_ramanujan


def test_no_edge_at_all_is_not_ramanujan() -> None:
    graph = certify("empty", np.zeros((3, 4)))
    assert (graph.sigma1, graph.sigma2, graph.components, graph.bound) == (0.0, 0.0, 0, 0.0)
    assert graph.ratio == math.inf
    assert not graph.is_ramanujan


# what is measured


@PROPERTY
@given(zero_one(9))
def test_any_graph_has_the_certificate_of_the_dense_matrix(matrix: Array) -> None:
    graph = certify("any", matrix)
    if matrix.sum() >= max(matrix.shape):  # below, there is no bound to compare with
        assert_as_measured(graph)
    else:
        assert not graph.is_ramanujan


def test_the_bounds_are_of_mean_and_of_minimum_degrees() -> None:
    matrix = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [0, 0, 1, 1]])  # rows 4, 3, 2; columns 2, 2, 3, 2
    graph = certify("uneven", matrix)
    assert graph.row_degrees.tolist() == [4, 3, 2]
    assert graph.column_degrees.tolist() == [2, 2, 3, 2]
    assert graph.row_degrees.dtype == graph.column_degrees.dtype == np.int64
    assert graph.degrees == (3.0, 2.25)
    assert graph.bound == pytest.approx(math.sqrt(2) + math.sqrt(1.25))
    assert graph.bound_of_minimum_degrees == pytest.approx(math.sqrt(1) + math.sqrt(1))


def test_a_mean_degree_below_one_adds_nothing_to_the_bound() -> None:
    graph = certify("a star", np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]))
    assert graph.degrees == (1.5, 1.0)
    assert graph.bound == pytest.approx(math.sqrt(0.5))
    assert graph.bound_of_minimum_degrees == 0.0
    assert certify("a tree", np.array([[1.0, 1.0]])).bound == 1.0
    assert certify("a matching", np.eye(3)).ratio == math.inf


def test_the_bound_counts_up_to_rounding_and_the_residual_against_it() -> None:
    graph = array_code(5, 3)
    bound = graph.bound

    def verdict(sigma2: float, residual: float = 0.0) -> bool:
        return dataclasses.replace(graph, sigma2=sigma2, residual=residual).is_ramanujan

    assert verdict(bound)
    assert verdict(bound * (1 + 1e-10))
    assert not verdict(bound * (1 + 1e-8))
    assert verdict(bound * 0.99, residual=bound * 0.0099)
    assert not verdict(bound * 0.99, residual=bound * 0.011)
    assert not verdict(math.nan)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array, sp.coo_array, sp.csc_array])
def test_the_matrix_may_come_in_any_form(form: Any) -> None:
    dense = array_code_matrix(3, 4).toarray()
    graph = certify("any form", form(dense), closed_form=2.0)
    assert isinstance(graph.biadjacency, sp.csr_array)
    assert graph.biadjacency.dtype == np.float64
    assert np.array_equal(graph.biadjacency.toarray(), dense)
    assert (graph.name, graph.closed_form) == ("any form", 2.0)
    assert certify("none", form(dense)).closed_form is None


def test_zeros_that_are_stored_are_no_edges() -> None:
    matrix = sp.csr_array((np.array([1.0, 0.0, 1.0, 1.0, 1.0]), ([0, 0, 0, 1, 1], [0, 1, 2, 0, 2])), shape=(2, 3))
    graph = certify("stored", matrix)
    assert graph.biadjacency.nnz == 4
    assert graph.column_degrees.tolist() == [2, 0, 2]
    assert matrix.nnz == 5


# many vertices


@pytest.mark.parametrize(
    "matrix",
    [
        array_code_matrix(5, 3),
        array_code_matrix(7, 30),
        lps(3, 7).biadjacency,
        galois_array_code(8, 72, 8).biadjacency,
        random_biregular(50, 130, 650, np.random.default_rng(0)),
        random_biregular(130, 50, 655, np.random.default_rng(1)),
        sp.csr_array(two_blobs(20)),
    ],
    ids=["array code", "long array code", "lps", "galois", "wide", "tall and uneven", "bottleneck"],
)
def test_lanczos_method_finds_what_the_dense_solver_finds(
    matrix: sp.csr_array, monkeypatch: pytest.MonkeyPatch
) -> None:
    dense = certify("dense", matrix)
    monkeypatch.setattr(certificate, "DENSE", 10)
    lanczos = certify("lanczos", matrix)
    assert dense.residual == 0.0
    assert 0.0 < lanczos.residual < 1e-8
    assert lanczos.sigma1 == pytest.approx(dense.sigma1, rel=1e-10)
    assert lanczos.sigma2 == pytest.approx(dense.sigma2, rel=1e-10)
    assert abs(lanczos.sigma2 - dense.sigma2) <= lanczos.residual + 1e-12 * dense.sigma1
    assert lanczos.is_ramanujan == dense.is_ramanujan
    assert certify("lanczos", matrix).sigma2 == lanczos.sigma2


def test_the_limit_is_the_number_of_vertices_of_the_smaller_side(monkeypatch: pytest.MonkeyPatch) -> None:
    assert certificate.DENSE == 4000
    monkeypatch.setattr(certificate, "DENSE", 15)
    assert certify("15 columns", array_code_matrix(5, 3)).residual == 0.0
    assert certify("15 rows", array_code_matrix(5, 3).T).residual == 0.0
    monkeypatch.setattr(certificate, "DENSE", 14)
    assert certify("15 columns", array_code_matrix(5, 3)).residual > 0.0
    assert certify("15 rows", array_code_matrix(5, 3).T).residual > 0.0


def test_lanczos_method_never_calls_two_components_ramanujan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate, "DENSE", 10)
    good = array_code_matrix(5, 3).toarray()
    graph = certify("two", scipy.linalg.block_diag(good, good))
    assert graph.components == 2
    assert not graph.is_ramanujan


def test_lanczos_method_knows_complete_graphs_to_be_ramanujan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate, "DENSE", 4)
    assert all(certify("complete", np.ones(shape)).is_ramanujan for shape in [(10, 12), (30, 12), (12, 30), (20, 20)])


# the summary


def test_the_summary_has_every_number_as_a_plain_value() -> None:
    graph = array_code(5, 3)
    summary = graph.summary()
    assert summary == {
        "graph": "array_code(5, 3)",
        "rows": 25,
        "columns": 15,
        "edges": 75,
        "density": 0.2,
        "row degrees": "3",
        "column degrees": "5",
        "components": 1,
        "sigma1": graph.sigma1,
        "sigma2": graph.sigma2,
        "residual": 0.0,
        "closed form": math.sqrt(5),
        "bound": graph.bound,
        "bound of minimum degrees": graph.bound_of_minimum_degrees,
        "ramanujan": True,
    }
    assert {type(value) for value in summary.values()} == {str, int, float, bool}
    assert graph.sigma1 == pytest.approx(math.sqrt(15))
    assert graph.bound == pytest.approx(math.sqrt(2) + 2)


def test_the_summary_of_an_uneven_graph_has_the_span_of_its_degrees() -> None:
    summary = certify("blobs", np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]])).summary()
    assert summary["row degrees"] == "2 to 3"
    assert summary["column degrees"] == "1 to 2"
    assert summary["closed form"] is None
    assert summary["ramanujan"] is False
    assert summary["bound"] == pytest.approx(math.sqrt(1.5) + math.sqrt(2 / 3))
    assert summary["bound of minimum degrees"] == 1.0


def test_a_certificate_cannot_be_changed() -> None:
    graph: RamanujanGraph = array_code(3, 2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        graph.sigma2 = 0.0  # type: ignore[misc]


def test_the_examples_of_the_constructions_are_run_with_the_others() -> None:
    package = "pruneexp.graphs.ramanujan"
    assert {f"{package}.{name}" for name in ("lps", "array_code", "galois_array_code", "biregular")} <= {*WITH_EXAMPLES}
