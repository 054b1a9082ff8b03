"""Inclusion probabilities against a bisection, and their defining properties."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pruneexp.graphs import inclusion_probabilities
from pruneexp.graphs.inclusion import sampling_weight
from tests.graphs.oracles import Array, bisected_probabilities
from tests.properties import PROPERTY

positive = st.one_of(st.just(1.0), st.floats(-6, 6).map(lambda power: 10.0**power))
weight_vectors = st.integers(1, 20).flatmap(
    lambda size: arrays(np.float64, size, elements=st.one_of(st.just(0.0), positive), fill=st.nothing())
)
share = st.floats(0, 1)


def whole(weights: Array, share: float) -> int:
    """A number of edges that the weights allow."""
    return round(share * np.count_nonzero(weights))


@PROPERTY
@given(weight_vectors, share)
def test_they_sum_to_the_number_of_edges_wanted(weights: Array, share: float) -> None:
    count = whole(weights, share)
    assert inclusion_probabilities(weights, count).sum() == pytest.approx(count, rel=1e-12)


@PROPERTY
@given(weight_vectors, share)
def test_below_one_they_are_proportional_to_the_weights_and_the_certain_weigh_most(
    weights: Array, share: float
) -> None:
    p = inclusion_probabilities(weights, whole(weights, share))
    assert ((p >= 0) & (p <= 1)).all()
    assert (p[weights == 0] == 0).all()
    open_edges = (p < 1) & (weights > 0)
    if open_edges.any():
        ratio = p[open_edges] / weights[open_edges]
        assert np.ptp(ratio) <= 1e-12 * ratio.max()
        assert (ratio.max() * weights[p == 1] >= 1 - 1e-12).all()


@PROPERTY
@given(weight_vectors, share)
def test_they_agree_with_bisection(weights: Array, share: float) -> None:
    count = share * np.count_nonzero(weights)  # need not be whole
    if count:
        want = bisected_probabilities(weights, count)
        assert np.abs(inclusion_probabilities(weights, count) - want).max() < 1e-9


def test_no_edge_wanted_gives_zeros() -> None:
    assert not inclusion_probabilities(np.array([3.0, 0.0, 1.0]), 0).any()
    assert not inclusion_probabilities(np.zeros(4), 0).any()


def test_all_positive_edges_wanted_makes_them_certain() -> None:
    assert inclusion_probabilities(np.array([3.0, 0.0, 1e-30, 7.0]), 3).tolist() == [1, 0, 1, 1]


def test_equal_weights_have_equal_probabilities() -> None:
    assert inclusion_probabilities(np.full(9, 0.7), 4) == pytest.approx(4 / 9, abs=1e-15)


def test_ties_at_the_border_of_certainty_are_all_certain_or_all_not() -> None:
    # eps = 1/2 makes the three twos exactly certain
    assert inclusion_probabilities(np.array([2.0, 2.0, 2.0, 1.0, 1.0]), 4) == pytest.approx([1, 1, 1, 0.5, 0.5])
    assert inclusion_probabilities(np.array([2.0, 2.0, 2.0, 1.0, 1.0]), 3) == pytest.approx([0.75] * 3 + [0.375] * 2)


def test_the_shape_is_kept_and_the_weights_are_untouched() -> None:
    weights = np.random.default_rng(0).random((3, 4, 2))
    before = weights.copy()
    p = inclusion_probabilities(weights, 5)
    assert p.shape == weights.shape
    assert (p.ravel() == inclusion_probabilities(weights.ravel(), 5)).all()
    assert (weights == before).all()


@pytest.mark.parametrize("count", [3, 2.001, -1, math.nan])
def test_a_count_that_the_weights_do_not_allow_is_refused(count: float) -> None:
    with pytest.raises(ValueError, match="cannot include"):
        inclusion_probabilities(np.array([1.0, 0.0, 2.0]), count)


def test_fill_in_edges_are_drawn_only_for_what_the_others_leave() -> None:
    weights = np.array([3.0, 1e-200, 1e-12, 1e-200, 1e-200, 1e-200])
    assert inclusion_probabilities(weights, 4) == pytest.approx([1, 0.5, 1, 0.5, 0.5, 0.5])


@pytest.mark.parametrize("negligible", [1e-20, 1e-100])
def test_the_sum_holds_beside_weights_that_vanish_in_rounding(negligible: float) -> None:
    p = inclusion_probabilities(np.array([1.0, 1.0, negligible, negligible]), 2)
    assert p == pytest.approx([1, 1, 0, 0], abs=1e-12)


def test_the_sampling_weight_is_five_log_n_times_the_leverage_with_isolated_vertices_not_counted() -> None:
    leverages = np.zeros((5, 4))
    leverages[:2, :3] = np.arange(1, 7).reshape(2, 3) / 6
    assert sampling_weight(leverages) == pytest.approx(5 * math.log(2 + 3) * leverages)
    assert not sampling_weight(np.zeros((3, 2))).any()
