"""Array-code graphs against the closed form and the paper's blocks of powers of a cyclic shift."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pruneexp.errors import UserError
from pruneexp.graphs.ramanujan import array_code
from pruneexp.graphs.ramanujan.array_code import array_code_matrix
from tests.graphs.ramanujan import literal
from tests.graphs.ramanujan.literal import assert_as_measured, is_simple, ramanujan_bound
from tests.properties import PROPERTY

# "Deterministic Ramanujan graphs", table 2
TABLE_2 = [
    (13, 177),
    (19, 121),
    (19, 242),
    (19, 181),
    (13, 265),
    (7, 82),
    (11, 52),
    (11, 104),
    (13, 88),
    (47, 533),
]


@pytest.mark.parametrize(("q", "l"), TABLE_2)
def test_every_layer_of_the_papers_table_has_the_closed_form(q: int, l: int) -> None:
    graph = array_code(q, l)
    assert graph.name == f"array_code({q}, {l})"
    assert graph.biadjacency.shape == (q * q, l * q)
    assert set(graph.row_degrees) == {l}
    assert set(graph.column_degrees) == {q}
    assert graph.closed_form == math.sqrt(q * math.ceil(l / q))
    assert graph.sigma1 == pytest.approx(math.sqrt(q * l), rel=1e-9)
    assert graph.sigma2 == pytest.approx(graph.closed_form, rel=1e-9)
    assert graph.bound == pytest.approx(ramanujan_bound(l, q))
    assert graph.sigma2 <= graph.bound
    assert graph.components == 1
    assert graph.is_ramanujan
    assert is_simple(graph)


@PROPERTY
@given(st.sampled_from([2, 3, 5, 7]), st.integers(2, 30))
def test_the_closed_form_holds_for_every_length(q: int, l: int) -> None:
    graph = array_code(q, l)
    assert_as_measured(graph)
    assert graph.closed_form == pytest.approx(graph.sigma2, rel=1e-9)
    assert graph.sigma1 == pytest.approx(math.sqrt(q * l), rel=1e-9)
    assert graph.is_ramanujan


@pytest.mark.parametrize(("q", "l"), [(2, 2), (2, 3), (2, 7), (3, 2), (3, 8), (5, 3), (5, 5), (5, 12), (7, 4), (7, 15)])
def test_the_matrix_is_that_of_the_paper_block_by_block(q: int, l: int) -> None:
    assert np.array_equal(array_code(q, l).biadjacency.toarray(), literal.array_code(q, l))
    assert np.array_equal(array_code_matrix(q, l).toarray(), literal.array_code(q, l))


def test_there_is_no_cycle_of_four_edges_up_to_length_q() -> None:
    matrix = array_code(11, 11).biadjacency
    common = matrix @ matrix.T
    common.setdiag(0)
    assert common.max() == 1


@pytest.mark.parametrize(
    ("q", "l", "sentence"),
    [
        (8, 3, "q must be prime for an array-code graph, got 8; for powers of two there is galois_array_code."),
        (15, 3, "q must be prime for an array-code graph, got 15"),
        (1, 3, "q must be prime for an array-code graph, got 1"),
        (0, 3, "q must be prime for an array-code graph, got 0"),
        (-5, 3, "q must be prime for an array-code graph, got -5"),
        (5, 1, "l must be at least 2 for an array-code graph, got 1: below, rows have no second edge."),
        (5, 0, "l must be at least 2 for an array-code graph, got 0"),
        (5, -2, "l must be at least 2 for an array-code graph, got -2"),
    ],
)
def test_other_numbers_are_refused_in_one_sentence(q: int, l: int, sentence: str) -> None:
    with pytest.raises(UserError, match=re.escape(sentence)) as error:
        array_code(q, l)
    assert "\n" not in str(error.value)


def test_a_length_that_is_not_whole_is_refused_in_one_sentence() -> None:
    with pytest.raises(UserError):
        array_code(5, 2.5)  # type: ignore[arg-type]
