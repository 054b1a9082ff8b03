"""Random 2-lifts: two copies of every vertex, the degrees of the base, and the spectrum of base and signing."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from pruneexp.graphs.ramanujan import certify
from pruneexp.graphs.ramanujan.array_code import array_code_matrix
from pruneexp.graphs.ramanujan.lift import two_lift
from pruneexp.graphs.ramanujan.random_biregular import random_biregular
from tests.graphs.oracles import Array
from tests.graphs.ramanujan.literal import assert_as_measured
from tests.properties import PROPERTY


def parts(lift: Array) -> tuple[Array, Array]:
    """Parallel and crossed edges."""
    m, n = lift.shape[0] // 2, lift.shape[1] // 2
    assert np.array_equal(lift[:m, :n], lift[m:, n:])
    assert np.array_equal(lift[:m, n:], lift[m:, :n])
    return lift[:m, :n], lift[:m, n:]


@st.composite
def bases(draw: st.DrawFn) -> sp.csr_array:
    rows, columns = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    edges = draw(st.integers(0, rows * columns))
    return random_biregular(rows, columns, edges, np.random.default_rng(draw(st.integers(0, 50))))


@PROPERTY
@given(bases(), st.integers(0, 100))
def test_each_edge_becomes_two_that_are_parallel_or_crossed(base: sp.csr_array, seed: int) -> None:
    parallel, crossed = parts(two_lift(base, np.random.default_rng(seed)).toarray())
    assert np.array_equal(parallel + crossed, base.toarray())
    assert not (parallel * crossed).any()
    assert set(np.unique(parallel)) | set(np.unique(crossed)) <= {0.0, 1.0}


@PROPERTY
@given(bases(), st.integers(0, 100))
def test_the_degrees_are_those_of_the_base(base: sp.csr_array, seed: int) -> None:
    lift = two_lift(base, np.random.default_rng(seed)).toarray()
    assert lift.shape == (2 * base.shape[0], 2 * base.shape[1])
    assert lift.sum(axis=1).tolist() == 2 * base.sum(axis=1).tolist()
    assert lift.sum(axis=0).tolist() == 2 * base.sum(axis=0).tolist()


@PROPERTY
@given(bases(), st.integers(0, 100))
def test_the_singular_values_are_those_of_the_base_and_of_its_signing(base: sp.csr_array, seed: int) -> None:
    lift = two_lift(base, np.random.default_rng(seed)).toarray()
    parallel, crossed = parts(lift)
    want = [np.linalg.svd(matrix, compute_uv=False) for matrix in (base.toarray(), parallel - crossed)]
    assert np.linalg.svd(lift, compute_uv=False) == pytest.approx(np.sort(np.concatenate(want))[::-1], abs=1e-7)


def test_the_coin_is_fair_and_tossed_for_each_edge() -> None:
    base = sp.csr_array(np.ones((60, 60)))
    _, crossed = parts(two_lift(base, np.random.default_rng(0)).toarray())
    assert crossed.mean() == pytest.approx(0.5, abs=0.05)
    assert crossed.mean(axis=0) == pytest.approx(0.5, abs=0.35)
    assert crossed.mean(axis=1) == pytest.approx(0.5, abs=0.35)


def test_the_generator_decides_the_lift() -> None:
    base = array_code_matrix(5, 3)
    lifts = [two_lift(base, np.random.default_rng(seed)).toarray() for seed in (0, 0, 1)]
    assert np.array_equal(lifts[0], lifts[1])
    assert not np.array_equal(lifts[0], lifts[2])


def test_the_base_is_left_as_it_was() -> None:
    base = array_code_matrix(5, 3)
    before = base.toarray()
    two_lift(base, np.random.default_rng(0))
    assert np.array_equal(base.toarray(), before)


def test_the_certificate_of_a_lift_counts_its_edges_once() -> None:
    base = array_code_matrix(5, 3)
    graph = certify("lift", two_lift(base, np.random.default_rng(0)))
    assert graph.biadjacency.nnz == 2 * base.nnz
    assert_as_measured(graph)
