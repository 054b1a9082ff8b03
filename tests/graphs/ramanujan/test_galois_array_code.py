"""Array codes over GF(2^e) against the specification's values and a field multiplied without carries."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pruneexp.errors import UserError
from pruneexp.graphs.ramanujan import galois_array_code
from pruneexp.graphs.ramanujan.galois_array_code import galois_array_code_matrix
from tests.graphs.oracles import Array
from tests.graphs.ramanujan import literal
from tests.graphs.ramanujan.literal import MODULUS, assert_as_measured, field_product, is_simple, ramanujan_bound
from tests.properties import PROPERTY

Sizes = tuple[int, int, int]  # k, l, q


@st.composite
def sizes(draw: st.DrawFn) -> Sizes:
    q = draw(st.sampled_from([2, 4, 8]))
    return draw(st.integers(2, q)), draw(st.integers(2, min(q**3, 40))), q


def columns_twice(matrix: Array) -> int:
    """How many columns are equal to one before them."""
    return int(matrix.shape[1] - len(np.unique(matrix, axis=1).T))


@pytest.mark.parametrize(
    ("k", "l", "q", "shape", "sigma2"),
    [
        (8, 72, 8, (64, 576), 8.485),
        (16, 144, 16, (256, 2304), 12.0),
        (16, 144, 32, (512, 4608), 12.649),
    ],
)
def test_graphs_of_the_specification_have_its_singular_values(
    k: int, l: int, q: int, shape: tuple[int, int], sigma2: float
) -> None:
    graph = galois_array_code(k, l, q)
    assert graph.name == f"galois_array_code({k}, {l}, {q})"
    assert graph.biadjacency.shape == shape
    assert set(graph.row_degrees) == {l}
    assert set(graph.column_degrees) == {k}
    assert graph.biadjacency.nnz * q == shape[0] * shape[1]
    assert graph.sigma1 == pytest.approx(math.sqrt(k * l), rel=1e-9)
    assert round(graph.sigma2, 3) == sigma2
    assert graph.closed_form is None or graph.closed_form == pytest.approx(graph.sigma2, rel=1e-9)
    assert graph.bound == pytest.approx(ramanujan_bound(k, l))
    assert graph.components == 1
    assert graph.is_ramanujan
    assert is_simple(graph)
    assert columns_twice(graph.biadjacency.toarray()) == 0


@PROPERTY
@given(sizes())
def test_the_closed_form_and_the_bound_of_the_general_case_hold(size: Sizes) -> None:
    k, l, q = size
    graph = galois_array_code(k, l, q)
    assert_as_measured(graph)
    assert graph.sigma1 == pytest.approx(math.sqrt(k * l), rel=1e-9)
    limit = math.sqrt(q * math.ceil(l / q))
    assert graph.sigma2 <= limit * (1 + 1e-9)
    assert (graph.closed_form is not None) == (k == q or l % q == 0)
    if graph.closed_form is not None:
        assert graph.closed_form == pytest.approx(limit)
        assert graph.sigma2 == pytest.approx(limit, rel=1e-9)


@pytest.mark.parametrize(
    ("k", "l", "q"),
    [(2, 2, 2), (2, 8, 2), (3, 4, 4), (4, 64, 4), (3, 17, 4), (8, 72, 8), (5, 100, 8), (6, 40, 16), (2, 33, 32)],
)
def test_the_matrix_is_that_of_the_definition_edge_by_edge(k: int, l: int, q: int) -> None:
    want = literal.galois_array_code(k, l, q)
    assert np.array_equal(galois_array_code(k, l, q).biadjacency.toarray(), want)
    assert np.array_equal(galois_array_code_matrix(k, l, q).toarray(), want)


@pytest.mark.parametrize("q", [2, 4, 8, 16, 32, 64])
def test_the_field_multiplied_without_carries_is_a_field(q: int) -> None:
    assert len(bin(MODULUS[q])) - 2 == q.bit_length()  # of degree e
    for a in range(1, q):
        assert sorted(field_product(a, b, q) for b in range(q)) == list(range(q))


@pytest.mark.parametrize(("k", "l", "q"), [(8, 72, 8), (5, 50, 8), (4, 64, 4), (3, 13, 4)])
def test_the_terms_that_keep_columns_apart_change_no_singular_value(k: int, l: int, q: int) -> None:
    alike, apart = literal.galois_array_code(k, l, q, vary=False), galois_array_code_matrix(k, l, q).toarray()
    assert columns_twice(alike) > columns_twice(apart)
    values = [np.linalg.svd(matrix, compute_uv=False) for matrix in (alike, apart)]
    assert values[0] == pytest.approx(values[1], abs=1e-7)


@pytest.mark.parametrize(("k", "l", "q"), [(4, 64, 4), (4, 512, 8), (8, 512, 8), (3, 64, 8), (3, 16, 4), (2, 8, 8)])
def test_no_column_comes_twice_as_far_as_the_degrees_allow(k: int, l: int, q: int) -> None:
    assert columns_twice(galois_array_code_matrix(k, l, q).toarray()) == 0


@pytest.mark.parametrize(("k", "l", "q"), [(2, 9, 8), (2, 8, 2), (3, 65, 8)])
def test_columns_come_twice_only_where_two_or_three_rows_of_blocks_cannot_tell_them_apart(
    k: int, l: int, q: int
) -> None:
    assert columns_twice(galois_array_code_matrix(k, l, q).toarray()) > 0


@pytest.mark.parametrize(
    ("k", "l", "q", "components"), [(2, 2, 4, 2), (2, 2, 8, 4), (2, 3, 8, 2), (3, 2, 8, 2), (4, 2, 8, 2)]
)
def test_a_graph_that_is_not_ramanujan_says_so(k: int, l: int, q: int, components: int) -> None:
    graph = galois_array_code(k, l, q)
    assert_as_measured(graph)
    assert graph.components == components
    assert not graph.is_ramanujan


@pytest.mark.parametrize(
    ("k", "l", "q", "sentence"),
    [
        (3, 4, 5, "q must be a power of two for a Galois array code, got 5; for primes there is array_code."),
        (2, 4, 1, "q must be a power of two for a Galois array code, got 1"),
        (2, 4, 0, "q must be a power of two for a Galois array code, got 0"),
        (2, 4, -4, "q must be a power of two for a Galois array code, got -4"),
        (2, 4, 12, "q must be a power of two for a Galois array code, got 12"),
        (9, 4, 8, "k must be 2 ... q = 8 for a Galois array code, got 9: the rows' blocks are numbered by the field."),
        (1, 4, 8, "k must be 2 ... q = 8 for a Galois array code, got 1"),
        (2, 1, 8, "l must be 2 ... q^3 = 512 for a Galois array code, got 1."),
        (2, 513, 8, "l must be 2 ... q^3 = 512 for a Galois array code, got 513."),
    ],
)
def test_other_numbers_are_refused_in_one_sentence(k: int, l: int, q: int, sentence: str) -> None:
    with pytest.raises(UserError, match=re.escape(sentence)) as error:
        galois_array_code(k, l, q)
    assert "\n" not in str(error.value)


def test_numbers_that_are_not_whole_are_refused_in_one_sentence() -> None:
    with pytest.raises(UserError):
        galois_array_code(2, 3.5, 4)  # type: ignore[arg-type]
