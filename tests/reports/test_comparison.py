"""The linear model of method and seed, against statsmodels' least squares and a textbook's example."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from statsmodels.regression.linear_model import OLS

from pruneexp.reports.comparison import Comparison, with_the_first
from tests.properties import PROPERTY

Floats = NDArray[np.float64]
# Montgomery, Design and Analysis of Experiments, example 4.1: yield of vascular grafts at four pressures (8500, 8700, 8900, 9100 psi),
# from six batches of resin
GRAFTS = np.array([
    [90.3, 89.2, 98.2, 93.9, 87.4, 97.9], [92.5, 89.5, 90.6, 94.7, 87.0, 95.8],
    [85.5, 90.8, 89.6, 86.2, 88.0, 93.4], [82.5, 89.5, 85.6, 87.4, 78.9, 90.7],
]).T  # fmt: skip


def least_squares(accuracies: Floats) -> Any:
    """The same model with a column for each method but the first, and one for each seed."""
    seed, method = np.nonzero(~np.isnan(accuracies))
    seeds, methods = accuracies.shape
    columns = [np.eye(methods)[method][:, 1:], np.eye(seeds)[seed][:, np.unique(seed)]]
    return OLS(accuracies[seed, method], np.hstack(columns)).fit()


def p_of_pairs(fit: Any, others: int) -> Floats:
    """Of each pair of methods, those with the first in front."""
    pairs = list(itertools.combinations(range(others + 1), 2))
    contrasts = np.zeros((len(pairs), 1 + len(fit.params)))
    for row, (one, other) in enumerate(pairs):
        contrasts[row, [one, other]] = 1, -1
    return np.atleast_1d(fit.t_test(contrasts[:, 1:]).pvalue)


def by_hand(p: Floats) -> Floats:
    """Holm's adjusted p: the k-th smallest of m times m - k + 1, never less than one before it, at most 1."""
    found, reached = np.empty(len(p)), 0.0
    for place, which in enumerate(np.argsort(p)):
        reached = max(reached, min(1.0, (len(p) - place) * p[which]))
        found[which] = reached
    return found


@st.composite
def designs(draw: st.DrawFn) -> Floats:
    """[seeds, methods] with cells missing, the first method having three seeds or more in common with each other one."""
    seeds, methods = draw(st.integers(3, 8)), draw(st.integers(2, 6))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    made = 50 + 5 * generator.normal(size=(seeds, methods)) + 20 * generator.normal(size=(seeds, 1))
    there = generator.random((seeds, methods)) < draw(st.sampled_from([0.3, 0.7, 1.0]))
    there[generator.choice(seeds, 3, replace=False), 0] = True
    for method in range(1, methods):
        there[generator.choice(np.flatnonzero(there[:, 0]), 3, replace=False), method] = True
    made[~there] = np.nan
    return np.asarray(made)


@PROPERTY
@given(designs())
def test_differences_intervals_and_p_are_those_of_statsmodels(accuracies: Floats) -> None:
    found, fit, others = with_the_first(accuracies), least_squares(accuracies), accuracies.shape[1] - 1
    np.testing.assert_allclose(found.differences, -fit.params[:others], rtol=1e-7, atol=1e-9)
    low, high = fit.conf_int()[:others].T
    np.testing.assert_allclose(found.halves, (high - low) / 2, rtol=1e-7)
    np.testing.assert_allclose(found.p, by_hand(p_of_pairs(fit, others))[:others], rtol=1e-6, atol=1e-15)
    np.testing.assert_allclose(found.alone, fit.pvalues[:others], rtol=1e-6, atol=1e-15)


@PROPERTY
@given(designs())
def test_holm_keeps_the_order_and_lies_between_none_and_bonferroni(accuracies: Floats) -> None:
    found, fit, others = with_the_first(accuracies), least_squares(accuracies), accuracies.shape[1] - 1
    own = fit.pvalues[:others]
    assert (np.diff(found.p[np.argsort(own)]) >= 0).all()
    assert (found.p >= own * (1 - 1e-6)).all()
    assert (found.p <= np.minimum(1, (others + 1) * others / 2 * own) * (1 + 1e-6)).all()


def test_a_textbooks_randomised_complete_blocks() -> None:
    found = with_the_first(GRAFTS)
    # means 92.82, 91.68, 88.92, 85.77; mean square of the error 7.33 at 15 degrees of freedom, least significant difference 3.33
    np.testing.assert_allclose(found.differences, [92.82 - 91.68, 92.82 - 88.92, 92.82 - 85.77], atol=0.011)
    np.testing.assert_allclose(found.halves, 3.33, atol=0.005)
    np.testing.assert_allclose((found.halves / stats.t.ppf(0.975, 15)) ** 2 * 6 / 2, 7.33, atol=0.005)
    # of the six pairs the last with the first differ most, then the last with the second; the middle one comes third, times four
    assert found.p[1] == pytest.approx(4 * 2 * stats.t.sf(3.9 / np.sqrt(7.33 / 3), 15), rel=2e-3)
    assert (found.p < 0.05).tolist() == [False, False, True]


def test_of_two_methods_it_is_the_paired_t_test() -> None:
    found = with_the_first(GRAFTS[:, [0, 2]])
    paired = stats.ttest_rel(GRAFTS[:, 0], GRAFTS[:, 2])
    low, high = paired.confidence_interval(0.95)
    assert found.p == pytest.approx([paired.pvalue], rel=1e-9)
    assert found.halves == pytest.approx([(high - low) / 2], rel=1e-9)


def test_seeds_that_one_method_alone_has_say_nothing() -> None:
    more = np.vstack([GRAFTS, [[99.0, np.nan, np.nan, np.nan], [np.nan, np.nan, 1.0, np.nan], [np.nan] * 4]])
    found, without = with_the_first(more), with_the_first(GRAFTS)
    assert_same(found, without)


@PROPERTY
@given(designs(), st.floats(-40, 40), st.integers(0, 2**32 - 1))
def test_what_a_seed_does_to_all_methods_changes_nothing(accuracies: Floats, shift: float, state: int) -> None:
    moved = accuracies + shift * np.random.default_rng(state).normal(size=(len(accuracies), 1))
    assert_same(with_the_first(moved), with_the_first(accuracies), 1e-6)


def test_without_a_residual_any_difference_is_certain_and_none_is_not() -> None:
    column = np.array([61.3, 40.1, 77.7])
    found = with_the_first(np.stack([column, column, column - 0.1, column + 0.1], axis=1))
    assert found.differences[0] == 0
    np.testing.assert_allclose(found.differences, [0, 0.1, -0.1], atol=1e-12)
    np.testing.assert_allclose(found.halves, 0, atol=1e-12)
    assert found.p[0] == 1
    assert (found.p[1:] < 1e-20).all()
    same = with_the_first(np.full((3, 2), 10.0))
    assert (same.differences.tolist(), same.halves.tolist(), same.p.tolist()) == ([0.0], [0.0], [1.0])


def assert_same(found: Comparison, other: Comparison, rtol: float = 1e-9) -> None:
    np.testing.assert_allclose(found.differences, other.differences, rtol=rtol, atol=1e-8)
    np.testing.assert_allclose(found.halves, other.halves, rtol=rtol)
    np.testing.assert_allclose(found.p, other.p, rtol=rtol)
