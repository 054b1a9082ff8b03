"""LPS graphs against their golden values, and against the Cayley graphs written out element by element."""

import math
import re

import networkx as nx
import numpy as np
import pytest
from sympy import primerange

from pruneexp.errors import UserError
from pruneexp.graphs.ramanujan import lps
from tests.graphs.oracles import bipartite
from tests.graphs.ramanujan.literal import (
    assert_as_measured,
    is_simple,
    lps_generators,
    lps_graph,
    ramanujan_bound,
    singular_values,
)


@pytest.mark.parametrize(
    ("p", "q", "sigma2", "digits"),
    [(5, 17, 4.308919, 6), (29, 17, 10.0, 6), (109, 17, 20.264837, 6), (3, 17, 3.3028, 4)],
)
def test_graphs_of_the_specification_have_its_singular_values(p: int, q: int, sigma2: float, digits: int) -> None:
    graph = lps(p, q)
    assert graph.name == f"lps({p}, {q})"
    assert graph.biadjacency.shape == (2448, 2448)
    assert set(graph.row_degrees) == set(graph.column_degrees) == {p + 1}
    assert graph.sigma1 == pytest.approx(p + 1, abs=1e-9)
    assert round(graph.sigma2, digits) == sigma2
    assert graph.bound == graph.bound_of_minimum_degrees == pytest.approx(2 * math.sqrt(p))
    assert graph.closed_form is None
    assert graph.components == 1
    assert graph.is_ramanujan
    assert is_simple(graph)


def test_the_cubic_graph_of_chiu_is_ramanujan() -> None:
    graph = lps(2, 43)
    assert graph.biadjacency.shape == (39732, 39732)
    assert set(graph.row_degrees) == set(graph.column_degrees) == {3}
    assert graph.sigma1 == pytest.approx(3, abs=1e-9)
    assert 2.5 < graph.sigma2 <= 2 * math.sqrt(2)
    assert graph.residual < 1e-9
    assert graph.components == 1
    assert graph.is_ramanujan
    assert is_simple(graph)


@pytest.mark.parametrize(("p", "q"), [(2, 3), (5, 3), (3, 5), (7, 5), (13, 5), (3, 7), (5, 7), (19, 7)])
def test_small_graphs_have_the_certificate_of_the_dense_matrix(p: int, q: int) -> None:
    graph = lps(p, q)
    assert graph.biadjacency.shape == (q * (q * q - 1) // 2,) * 2
    assert_as_measured(graph)
    assert graph.is_ramanujan


@pytest.mark.parametrize(("p", "q"), [(2, 3), (5, 3), (3, 5)])
def test_small_graphs_are_the_cayley_graphs_written_out(p: int, q: int) -> None:
    want, rows, columns = lps_graph(p, q)
    assert len(rows) == len(columns) == q * (q * q - 1) // 2
    assert nx.bipartite.is_bipartite_node_set(want, rows)
    assert nx.vf2pp_is_isomorphic(bipartite(lps(p, q).biadjacency.toarray()), want)


@pytest.mark.parametrize(("p", "q"), [(7, 5), (13, 5), (23, 5), (3, 7), (5, 7), (5, 13)])
def test_graphs_have_the_spectrum_of_the_cayley_graphs_written_out(p: int, q: int) -> None:
    want, rows, columns = lps_graph(p, q)
    assert want.number_of_edges() == (p + 1) * len(rows)
    assert {len(want[element]) for element in columns} == {p + 1}
    literal = nx.bipartite.biadjacency_matrix(want, rows, columns)
    assert singular_values(lps(p, q).biadjacency) == pytest.approx(singular_values(literal), abs=1e-7)


@pytest.mark.parametrize("q", [3, 5, 7])
def test_every_small_pair_gives_a_ramanujan_graph_or_the_reason_why_not(q: int) -> None:
    given = 0
    for p in primerange(2, 60):
        if p == q:
            reason = "different primes"
        elif p % q in {x * x % q for x in range(q)}:
            reason = "square mod"
        elif p == 2 and q != 3:
            reason = "Chiu"
        elif len(lps_generators(p, q)) < p + 1:
            reason = "parallel edges"
        else:
            graph = lps(p, q)
            assert graph.is_ramanujan
            assert is_simple(graph)
            assert set(graph.row_degrees) == set(graph.column_degrees) == {p + 1}
            assert graph.bound == pytest.approx(ramanujan_bound(p + 1, p + 1))
            given += 1
            continue
        with pytest.raises(UserError, match=reason):
            lps(p, q)
    assert given >= 2


@pytest.mark.parametrize(("p", "q"), [(5, 13), (5, 17)])
def test_the_girth_is_what_the_theorem_says(p: int, q: int) -> None:
    # Lubotzky, Phillips & Sarnak, theorem 3.4; here it leaves no cycle of four edges
    assert 4 * math.log(q, p) - math.log(4, p) > 4
    matrix = lps(p, q).biadjacency
    common = matrix @ matrix.T
    common.setdiag(0)
    assert common.max() == 1


@pytest.mark.parametrize(("p", "q"), [(3, 7), (5, 7)])
def test_every_vertex_looks_the_same(p: int, q: int) -> None:
    # left multiplication is an automorphism: equally many closed walks of every length from each vertex
    matrix = lps(p, q).biadjacency.toarray()
    for gram in (matrix @ matrix.T, matrix.T @ matrix):
        for power in (2, 3, 5):
            walks = np.diag(np.linalg.matrix_power(gram, power))
            assert len(set(walks.tolist())) == 1


def test_the_same_numbers_give_the_same_graph() -> None:
    assert (lps(5, 7).biadjacency != lps(5, 7).biadjacency).nnz == 0


@pytest.mark.parametrize(
    ("p", "q", "sentence"),
    [
        (13, 17, "p=13 is a square mod q=17 (8^2 = 13 mod 17), so the LPS graph is not bipartite"),
        (2, 17, "p=2 is a square mod q=17 (6^2 = 2 mod 17)"),
        (11, 7, "p=11 is a square mod q=7 (2^2 = 11 mod 7)"),
        (17, 17, "p and q must be different primes for an LPS graph, got 17 twice."),
        (5, 15, "q must be prime for an LPS graph, got 15."),
        (9, 17, "p must be prime for an LPS graph, got 9."),
        (1, 17, "p must be prime for an LPS graph, got 1."),
        (-5, 17, "p must be prime for an LPS graph, got -5."),
        (5, 0, "q must be prime for an LPS graph, got 0."),
        (5, 2, "q must be an odd prime for an LPS graph, got 2."),
        (2, 5, "p=2 needs a q of which -2 and 13 are squares (Chiu 1992), and of q=5 they are not both"),
        (2, 13, "p=2 needs a q of which -2 and 13 are squares"),
        (2, 11, "p=2 needs a q of which -2 and 13 are squares"),
        (17, 3, "q=3 is too small for p=17: the LPS graph would have parallel edges; q > 8.25 never does."),
    ],
)
def test_numbers_that_give_no_bipartite_graph_are_refused_with_the_reason(p: int, q: int, sentence: str) -> None:
    with pytest.raises(UserError, match=re.escape(sentence)) as error:
        lps(p, q)
    assert "\n" not in str(error.value)


def test_43_is_the_smallest_fit_of_chiu_after_3() -> None:
    refused = []
    for q in primerange(4, 43):
        with pytest.raises(UserError):
            lps(2, q)
        refused.append(q)
    assert refused == list(primerange(5, 43))


def test_numbers_that_are_not_whole_are_refused_in_one_sentence() -> None:
    with pytest.raises(UserError):
        lps(5.0, 17)  # type: ignore[arg-type]
