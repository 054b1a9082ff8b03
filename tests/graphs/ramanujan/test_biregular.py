"""Certified graphs of any size: what was asked for is what comes, and what cannot be is refused with the reason."""

import importlib
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from pruneexp.errors import UserError
from pruneexp.graphs.ramanujan import RamanujanGraph, biregular, certify, galois_array_code
from pruneexp.graphs.ramanujan.biregular import CUT, DRAWS, _candidates, _cut_array_codes, search
from tests.graphs.ramanujan import literal
from tests.graphs.ramanujan.literal import assert_as_measured, is_simple
from tests.properties import PROPERTY

Sizes = tuple[int, int, int]  # m, n, edges

# C_out x C_in K K of convolutions
LAYERS = [(64, 27), (64, 576), (128, 576), (128, 1152), (256, 1152), (256, 2304), (512, 2304), (512, 4608)]


def evenly(matrix: sp.csr_array) -> bool:
    """Whether degrees differ by at most one on each side."""
    return bool(np.ptp(matrix.sum(axis=0)) <= 1 and np.ptp(matrix.sum(axis=1)) <= 1)


def assert_as_asked(graph: RamanujanGraph, m: int, n: int, edges: int) -> None:
    assert graph.biadjacency.shape == (m, n)
    assert graph.biadjacency.nnz == edges
    assert is_simple(graph)
    assert evenly(graph.biadjacency)
    assert graph.row_degrees.min() >= 2
    assert graph.column_degrees.min() >= 2
    assert graph.components == 1
    assert graph.sigma2 <= graph.bound * (1 + 1e-9)
    assert graph.is_ramanujan


def refusal(*arguments: Any, **options: Any) -> str:
    """The sentence."""
    with pytest.raises(UserError) as error:
        biregular(*arguments, **options)
    sentence = str(error.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


# what comes


@pytest.mark.parametrize(("m", "n"), LAYERS)
@pytest.mark.parametrize("density", [0.3, 0.1, 0.05, "smallest"])
def test_convolutions_get_a_certified_graph_of_their_size(m: int, n: int, density: float | str) -> None:
    share = 2 / min(m, n) if isinstance(density, str) else density
    edges = round(share * m * n)
    if edges < 2 * max(m, n):
        assert (m, n, density) == (64, 27, 0.05)
        assert "density 0.07407 or more" in refusal(m, n, density=share)
    else:
        assert_as_asked(biregular(m, n, density=share), m, n, edges)


@pytest.mark.parametrize(
    ("m", "n"), [(27, 64), (576, 64), (1152, 128), (2304, 256), (25, 25), (2, 2), (2, 30), (30, 2)]
)
@pytest.mark.parametrize("density", [1.0, 0.5, "smallest"])
def test_other_sizes_do_as_well(m: int, n: int, density: float | str) -> None:
    share = 2 / min(m, n) if isinstance(density, str) else max(density, 2 / min(m, n))
    assert_as_asked(biregular(m, n, density=share), m, n, round(share * m * n))


@pytest.mark.parametrize(
    ("m", "n", "edges"), [(64, 27, 173), (30, 70, 210), (40, 40, 120), (33, 21, 693), (2, 9, 18), (64, 576, 4608)]
)
def test_the_certificate_is_that_of_the_dense_matrix(m: int, n: int, edges: int) -> None:
    assert_as_measured(biregular(m, n, edges=edges))


@st.composite
def sizes(draw: st.DrawFn, least: int = 2) -> Sizes:
    m, n = draw(st.integers(least, 30)), draw(st.integers(least, 30))
    return m, n, draw(st.integers(least * max(m, n), m * n))


@PROPERTY
@given(sizes(least=3), st.integers(0, 20))
def test_three_edges_at_every_vertex_are_enough(size: Sizes, seed: int) -> None:
    m, n, edges = size
    graph = biregular(m, n, edges=edges, seed=seed)
    assert_as_asked(graph, m, n, edges)
    assert_as_measured(graph)


@PROPERTY
@given(sizes())
def test_any_possible_number_of_edges_is_certified_or_refused_with_the_best_ratio(size: Sizes) -> None:
    m, n, edges = size
    if search(m, n, edges, seed=0).is_ramanujan:
        assert_as_asked(biregular(m, n, edges=edges), m, n, edges)
    else:
        assert edges < 3 * max(m, n)
        sentence = refusal(m, n, edges=edges)
        assert re.match(rf"no {m} x {n} graph with {edges} edges was certified .* = 1\.\d{{4}} times", sentence)


@pytest.mark.parametrize("density", [0.2, 0.25, 0.333, 0.51])
def test_a_density_is_the_share_of_all_pairs(density: float) -> None:
    assert_as_asked(biregular(24, 50, density=density), 24, 50, round(density * 24 * 50))


@pytest.mark.parametrize("degree", [5, 8, 49, 50])
def test_a_degree_is_that_of_every_row(degree: int) -> None:
    graph = biregular(24, 50, degree=degree)
    assert_as_asked(graph, 24, 50, degree * 24)
    assert set(graph.row_degrees) == {degree}


def test_edges_are_exact() -> None:
    for edges in (100, 101, 599, 601, 1200):
        assert_as_asked(biregular(24, 50, edges=edges), 24, 50, edges)


def test_the_three_ways_to_ask_give_the_same_graph() -> None:
    graphs = [biregular(24, 50, density=0.2), biregular(24, 50, degree=10), biregular(24, 50, edges=240)]
    assert len({graph.biadjacency.toarray().tobytes() for graph in graphs}) == 1


def test_the_seed_decides_the_graph() -> None:
    graphs = [biregular(30, 70, degree=7, seed=seed).biadjacency.toarray() for seed in (5, 5, 0, 1, 2)]
    assert np.array_equal(graphs[0], graphs[1])
    assert len({graph.tobytes() for graph in graphs}) == 4
    assert np.array_equal(graphs[2], biregular(30, 70, degree=7).biadjacency.toarray())


# where it comes from


@pytest.mark.parametrize(
    ("m", "n", "q", "k", "l"),
    [(64, 576, 8, 8, 72), (256, 2304, 16, 16, 144), (512, 4608, 32, 16, 144), (8, 28, 4, 2, 7)],
)
def test_sizes_that_fit_a_galois_array_code_get_it(m: int, n: int, q: int, k: int, l: int) -> None:
    graph = biregular(m, n, density=1 / q)
    assert graph.name == f"galois_array_code({k}, {l}, {q})"
    assert_as_asked(graph, m, n, m * n // q)
    assert (graph.biadjacency != galois_array_code(k, l, q).biadjacency).nnz == 0
    other = biregular(n, m, density=1 / q)
    assert other.name == graph.name
    assert_as_asked(other, n, m, m * n // q)
    assert (other.biadjacency != graph.biadjacency.T).nnz == 0


def test_a_galois_array_code_without_certificate_is_not_taken() -> None:
    assert not galois_array_code(2, 3, 8).is_ramanujan
    graph = biregular(16, 24, density=1 / 8)
    assert graph.name.startswith("random_biregular(16, 24, ")
    assert_as_asked(graph, 16, 24, 48)


@pytest.mark.parametrize("m", [2, 3, 5, 9, 100])
def test_degree_two_on_equal_sides_is_a_cycle(m: int) -> None:
    graph = biregular(m, m, degree=2)
    assert_as_asked(graph, m, m, 2 * m)
    assert graph.sigma1 == pytest.approx(2)
    assert graph.sigma2 == pytest.approx(2 * abs(math.cos(math.pi / m)), abs=1e-7)


def names(m: int, n: int, edges: int, exact: bool = False) -> list[str]:
    return [name for name, _ in _candidates(m, n, edges, np.random.default_rng(0), exact)]


def test_candidates_come_in_the_order_of_the_documentation() -> None:
    drawn, cut = names(38, 38, 80)[: 2 * DRAWS], names(38, 38, 80)[2 * DRAWS :]
    assert drawn[:DRAWS] == ["random_biregular(38, 38, edges=80)"] * DRAWS
    assert drawn[DRAWS:] == ["two_lift(random_biregular(19, 19, edges=40))"] * DRAWS
    assert set(cut) == {"array_code(17, 3) cut to 38 x 38", "array_code(19, 2) cut to 38 x 38"}
    assert names(38, 38, 80, exact=True) == drawn
    assert names(64, 576, 4608)[0] == "galois_array_code(8, 72, 8)"
    assert names(38, 38, 76)[0] == "cycle(76)"


@pytest.mark.parametrize(("m", "n", "edges"), [(37, 38, 80), (38, 37, 80), (38, 38, 81), (6, 6, 20)])
def test_a_lift_is_left_out_where_half_the_graph_cannot_be(m: int, n: int, edges: int) -> None:
    assert not any(name.startswith("two_lift") for name in names(m, n, edges))


def test_every_candidate_has_even_degrees_and_the_edges_asked_for() -> None:
    for m, n, edges in [(64, 576, 4608), (32, 32, 80), (20, 36, 130), (38, 38, 80)]:
        for name, matrix in _candidates(m, n, edges, np.random.default_rng(0), False):
            graph = certify(name, matrix)
            assert graph.biadjacency.shape == (m, n)
            assert is_simple(graph)
            assert evenly(graph.biadjacency)
            assert graph.biadjacency.nnz == edges or "cut" in name
            assert abs(graph.biadjacency.nnz - edges) <= CUT * edges


def test_a_lift_is_taken_where_no_random_graph_is_certified() -> None:
    graph = biregular(32, 32, edges=80)
    assert graph.name == "two_lift(random_biregular(16, 16, edges=40))"
    assert_as_asked(graph, 32, 32, 80)
    assert_as_measured(graph)


def test_a_cut_array_code_is_taken_where_nothing_else_is_certified() -> None:
    graph = biregular(38, 38, density=80 / 38**2)
    assert graph.name == "array_code(19, 2) cut to 38 x 38"
    assert abs(graph.biadjacency.nnz - 80) <= 8
    assert_as_asked(graph, 38, 38, graph.biadjacency.nnz)
    assert_as_measured(graph)


def test_a_number_of_edges_is_never_missed_by_a_cut_array_code() -> None:
    assert "no 38 x 38 graph with 80 edges was certified" in refusal(38, 38, edges=80)


@PROPERTY
@given(st.integers(4, 40), st.integers(4, 40), st.floats(0.02, 0.5))
def test_cut_array_codes_are_corners_of_array_codes(m: int, n: int, share: float) -> None:
    edges = max(round(share * m * n), 1)
    for name, matrix in _cut_array_codes(m, n, edges):
        found = re.fullmatch(r"array_code\((\d+), (\d+)\) cut to (\d+) x (\d+)", name)
        assert found is not None
        q, l, rows, columns = map(int, found.groups())
        assert (rows, columns) == (m, n)
        whole = literal.array_code(q, l)
        corners = [np.array_equal(matrix.toarray(), corner) for corner in (whole[:m, :n], whole[:n, :m].T)]
        assert any(corners)
        assert abs(matrix.nnz - edges) <= CUT * edges
        assert evenly(matrix)


@pytest.mark.parametrize(("m", "n", "edges"), [(100, 150, 1300), (150, 100, 1300), (49, 574, 4018)])
def test_there_are_cut_array_codes_for_both_orientations(m: int, n: int, edges: int) -> None:
    graphs = [certify(name, matrix) for name, matrix in _cut_array_codes(m, n, edges)]
    assert graphs
    for graph in graphs:
        assert graph.biadjacency.shape == (m, n)
        assert_as_measured(graph)
    assert any(graph.is_ramanujan for graph in graphs)


@pytest.mark.parametrize(("m", "n"), [(20, 24), (24, 20)])
def test_bad_draws_are_never_returned(m: int, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def bad(rows: int, columns: int, edges: int, rng: np.random.Generator) -> sp.csr_array:
        half = np.ones((rows // 2, columns // 2))
        return sp.csr_array(scipy.linalg.block_diag(half, np.ones((rows - rows // 2, columns - columns // 2))))

    # the package has a function of the module's name
    module = importlib.import_module("pruneexp.graphs.ramanujan.biregular")
    monkeypatch.setattr(module, "random_biregular", bad)
    monkeypatch.setattr(module, "two_lift", lambda base, rng: sp.csr_array(sp.block_diag([base, base])))
    graph = biregular(m, n, density=0.2)
    assert re.fullmatch(rf"array_code\(5, \d+\) cut to {m} x {n}", graph.name)
    assert_as_measured(graph)
    assert graph.is_ramanujan


# what does not


def test_the_best_ratio_is_told_where_nothing_is_certified() -> None:
    sentence = refusal(512, 512, density=2.5 / 512)
    found = re.fullmatch(
        r"no 512 x 512 graph with 1280 edges was certified as Ramanujan; the best had"
        r" sigma_2 = (\d\.\d{4}) times the bound: degrees that are whole numbers, or higher ones, are easier\.",
        sentence,
    )
    assert found is not None
    assert 1.0 < float(found[1]) < 1.2


@pytest.mark.parametrize(("m", "n", "edges", "seed"), [(23, 23, 48, 0), (26, 31, 65, 0), (26, 26, 58, 0)])
def test_the_best_ratio_is_the_smallest_of_all_connected_candidates(m: int, n: int, edges: int, seed: int) -> None:
    graphs = [certify(*made) for made in _candidates(m, n, edges, np.random.default_rng(seed), True)]
    best = min((graph for graph in graphs if graph.components == 1), key=lambda graph: graph.ratio)
    assert best.ratio > 1
    assert f"sigma_2 = {best.ratio:.4f} times" in refusal(m, n, edges=edges, seed=seed)
    found = search(m, n, edges, seed)
    assert not found.is_ramanujan
    assert (found.biadjacency != best.biadjacency).nnz == 0


def test_a_search_ends_with_the_first_certificate() -> None:
    graphs = [certify(*made) for made in _candidates(26, 26, 58, np.random.default_rng(3), True)]
    first = next(graph for graph in graphs if graph.is_ramanujan)
    assert not graphs[0].is_ramanujan
    assert (search(26, 26, 58, 3).biadjacency != first.biadjacency).nnz == 0
    assert search(38, 38, 80, 0, exact=False).name == "array_code(19, 2) cut to 38 x 38"
    assert search(38, 38, 80, 0).biadjacency.nnz == 80
    assert (search(30, 70, 210, 4).biadjacency != biregular(30, 70, edges=210, seed=4).biadjacency).nnz == 0


def test_a_ratio_is_told_where_no_candidate_is_connected() -> None:
    graphs = [certify(*made) for made in _candidates(202, 201, 404, np.random.default_rng(10), True)]
    assert all(graph.components > 1 for graph in graphs)
    assert re.search(r"sigma_2 = 1\.\d{4} times", refusal(202, 201, edges=404, seed=10))


def test_the_number_of_edges_in_the_sentence_is_the_one_asked_for() -> None:
    assert "no 22 x 25 graph with 51 edges was certified" in refusal(22, 25, density=51 / (22 * 25))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "a biregular graph needs one of density=, degree= and edges=."),
        ({"density": 0.5, "degree": 5}, "a biregular graph needs one of density=, degree= and edges=."),
        ({"density": 0.5, "edges": 100}, "a biregular graph needs one of density=, degree= and edges=."),
        ({"degree": 5, "edges": 60}, "a biregular graph needs one of density=, degree= and edges=."),
        ({"density": 0.5, "degree": 5, "edges": 60}, "a biregular graph needs one of density=, degree= and edges=."),
        ({"density": 0.0}, "density must be above 0 and at most 1, got 0.0."),
        ({"density": -0.1}, "density must be above 0 and at most 1, got -0.1."),
        ({"density": 1.01}, "density must be above 0 and at most 1, got 1.01."),
        ({"density": math.nan}, "density must be above 0 and at most 1, got nan."),
        ({"density": math.inf}, "density must be above 0 and at most 1, got inf."),
        ({"degree": 21}, "degree 21 is larger than the other side, which has 20 vertices."),
        ({"degree": 1}, "degree must be a whole number, at least 2, got 1."),
        ({"degree": -3}, "degree must be a whole number, at least 2, got -3."),
        ({"degree": 2.5}, "degree must be a whole number, at least 2, got 2.5."),
        (
            {"density": 0.15},
            "a 12 x 20 graph in which every vertex has 2 edges or more has 40 to 240 edges (density 0.1667 or more),"
            " and 36 were asked for.",
        ),
        ({"degree": 3}, "has 40 to 240 edges (density 0.1667 or more), and 36 were asked for."),
        ({"edges": 39}, "has 40 to 240 edges (density 0.1667 or more), and 39 were asked for."),
        ({"edges": 241}, "has 40 to 240 edges (density 0.1667 or more), and 241 were asked for."),
        ({"edges": 0}, "has 40 to 240 edges (density 0.1667 or more), and 0 were asked for."),
    ],
)
def test_options_that_cannot_be_are_refused_in_one_sentence(options: dict[str, Any], sentence: str) -> None:
    assert sentence in refusal(12, 20, **options)


@pytest.mark.parametrize("size", [1, 0, -4, 2.5, True, "8"])
def test_sizes_that_cannot_be_are_refused_in_one_sentence(size: Any) -> None:
    assert refusal(size, 20, degree=2) == f"biregular's m must be a whole number, at least 2, got {size!r}."
    assert refusal(20, size, degree=2) == f"biregular's n must be a whole number, at least 2, got {size!r}."


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda: biregular(12, 20, edges=60.5), id="edges"),  # type: ignore[arg-type]
        pytest.param(lambda: biregular(12, 20, degree=5, seed=-1), id="negative seed"),
        pytest.param(lambda: biregular(12, 20, degree=5, seed=1.5), id="seed"),  # type: ignore[arg-type]
        pytest.param(lambda: biregular(12, 20, density="0.5"), id="density"),  # type: ignore[arg-type]
    ],
)
def test_values_of_another_kind_are_refused_in_one_sentence(call: Callable[[], RamanujanGraph]) -> None:
    with pytest.raises(UserError):
        call()
