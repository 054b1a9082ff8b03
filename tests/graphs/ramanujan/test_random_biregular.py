"""Random bipartite graphs: exactly the edges asked for, even degrees, no edge twice, and no cell preferred."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pruneexp.graphs.ramanujan.certificate import certify
from pruneexp.graphs.ramanujan.random_biregular import even, random_biregular
from tests.graphs.oracles import Array, sampling_error
from tests.graphs.ramanujan.literal import assert_as_measured
from tests.properties import PROPERTY

Sizes = tuple[int, int, int]  # rows, columns, edges


@st.composite
def sizes(draw: st.DrawFn) -> Sizes:
    rows, columns = draw(st.integers(1, 25)), draw(st.integers(1, 25))
    return rows, columns, draw(st.integers(0, rows * columns))


def drawn(size: Sizes, seed: int = 0) -> Array:
    matrix = random_biregular(*size, np.random.default_rng(seed))
    return np.asarray(matrix.toarray())


@PROPERTY
@given(sizes(), st.integers(0, 100))
@example((7, 5, 0), 0)
@example((7, 5, 35), 0)
@example((7, 5, 34), 0)
@example((6, 6, 18), 0)
@example((6, 6, 19), 0)
@example((1, 9, 4), 0)
@example((9, 1, 9), 0)
@example((1, 1, 1), 0)
@example((40, 2, 40), 0)
def test_edges_are_exact_and_degrees_differ_by_at_most_one(size: Sizes, seed: int) -> None:
    rows, columns, edges = size
    matrix = random_biregular(*size, np.random.default_rng(seed))
    assert matrix.shape == (rows, columns)
    assert matrix.nnz == edges
    dense = matrix.toarray()
    assert dense.sum() == edges
    assert set(np.unique(dense)) <= {0.0, 1.0}
    assert set(dense.sum(axis=1)) <= {edges // rows, -(-edges // rows)}
    assert set(dense.sum(axis=0)) <= {edges // columns, -(-edges // columns)}


def test_a_layer_of_hundreds_of_vertices_is_as_exact() -> None:
    for edges in (2304, 14_746, 73_728, 73_729, 103_219):
        matrix = random_biregular(128, 1152, edges, np.random.default_rng(0))
        assert matrix.nnz == edges
        assert set(matrix.data) == {1.0}
        assert np.ptp(matrix.sum(axis=0)) <= 1
        assert np.ptp(matrix.sum(axis=1)) <= 1


@PROPERTY
@given(sizes().filter(lambda size: size[2] > 0), st.integers(0, 100))
def test_their_certificate_is_that_of_the_dense_matrix(size: Sizes, seed: int) -> None:
    rows, columns, edges = size
    # mean degrees below 1 have no bound to compare with
    if edges >= max(rows, columns):
        assert_as_measured(certify("random", random_biregular(*size, np.random.default_rng(seed))))
    else:
        assert not certify("random", random_biregular(*size, np.random.default_rng(seed))).is_ramanujan


@pytest.mark.parametrize("size", [(12, 20, 60), (12, 20, 180)])
def test_the_generator_decides_the_graph(size: Sizes) -> None:
    assert np.array_equal(drawn(size, 3), drawn(size, 3))
    graphs = {drawn(size, seed).tobytes() for seed in range(20)}
    assert len(graphs) == 20


def test_one_generator_gives_one_graph_after_the_other() -> None:
    rng = np.random.default_rng(0)
    first, second = (random_biregular(8, 8, 24, rng).toarray() for _ in range(2))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("size", [(3, 4, 5), (3, 4, 6), (3, 4, 8), (4, 4, 8), (2, 5, 3)])
def test_every_pair_of_vertices_is_joined_equally_often(size: Sizes) -> None:
    rng, draws = np.random.default_rng(1), 2000
    frequency = sum(random_biregular(*size, rng).toarray() for _ in range(draws)) / draws
    p = np.full(size[:2], size[2] / (size[0] * size[1]))
    assert (np.abs(frequency - p) <= sampling_error(p, draws)).all()


def test_every_graph_there_is_comes_up() -> None:
    rng = np.random.default_rng(2)
    found = {random_biregular(4, 4, 8, rng).toarray().tobytes() for _ in range(2000)}
    assert len(found) == 90  # 4 x 4 with two ones in each row and column


@PROPERTY
@given(st.integers(0, 300), st.integers(1, 40), st.integers(0, 100))
def test_a_total_is_split_into_parts_that_differ_by_at_most_one(total: int, parts: int, seed: int) -> None:
    counts = even(total, parts, np.random.default_rng(seed))
    assert len(counts) == parts
    assert counts.sum() == total
    assert np.ptp(counts) == (total % parts > 0)


def test_the_larger_parts_are_at_random_places() -> None:
    rng = np.random.default_rng(0)
    frequency = sum(even(7, 5, rng) for _ in range(2000)) / 2000 - 1
    assert frequency == pytest.approx(0.4, abs=0.06)
