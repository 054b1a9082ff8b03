"""Tukey's intervals against other tests that they are, and against experiments whose differences are known."""

import functools

import numpy as np
import pytest
from scipy import stats

from pruneexp.studies.factorial.differences import differences
from pruneexp.studies.factorial.variance import analysed
from tests.studies.factorial.made import effects, made


def test_of_two_levels_it_is_the_paired_t_test_of_the_seeds_means() -> None:
    means, _ = effects([0.0, 2.0], [0.0, 1.0, 5.0])
    cells = made(means, np.array([0.0, 3.0, -4.0, 1.0]), 1.0, np.random.default_rng(3))
    (row,) = (row for row in differences(cells, analysed(cells)).itertuples() if row.factor == "allocation")
    by_seed = cells.groupby(["seed", "allocation"])["value"].mean().unstack()
    paired = stats.ttest_rel(by_seed[str(row.one)], by_seed[str(row.other)])
    interval = paired.confidence_interval(0.95)
    assert row.p == pytest.approx(paired.pvalue, rel=1e-6)
    assert (row.low, row.high) == pytest.approx((interval.low, interval.high), rel=1e-6)
    assert row.difference == pytest.approx((by_seed[str(row.one)] - by_seed[str(row.other)]).mean())


def test_every_pair_of_a_factor_is_told_once_the_larger_mean_first() -> None:
    means, _ = effects([0.0, 2.0, 1.0], [0.0, 1.0, 5.0, 3.0])
    cells = made(means, np.zeros(3), 0.1, np.random.default_rng(0))
    found = differences(cells, analysed(cells))
    assert found["factor"].value_counts().to_dict() == {"choice": 6, "allocation": 3}
    pairs = found[found["factor"] == "allocation"][["one", "other"]]
    assert list(pairs.itertuples(index=False, name=None)) == [("a1", "a2"), ("a1", "a0"), ("a2", "a0")]
    assert (found["difference"] >= 0).all()
    assert ((found["low"] > 0) == (found["p"] < 0.05)).all()


def test_equal_levels_are_seldom_told_to_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    # the same k and v in all experiments, whose p values nobody asks for
    monkeypatch.setattr(stats.studentized_range, "isf", functools.cache(stats.studentized_range.isf))
    monkeypatch.setattr(stats.studentized_range, "sf", lambda *_: np.nan)
    means, _ = effects([0.0] * 4, [0.0] * 5)
    told = 0
    for seed in range(200):
        cells = made(means, np.array([0.0, 5.0, -3.0]), 1.0, np.random.default_rng(seed))
        found = differences(cells, analysed(cells))
        told += bool((found.loc[found["factor"] == "choice", "low"] > 0).any())
    assert told <= stats.binom.ppf(0.999, 200, 0.05)
    assert told >= stats.binom.ppf(0.001, 200, 0.05)


def test_means_of_different_cells_are_not_compared() -> None:
    means, _ = effects([0.0, 2.0, 1.0], [0.0, 1.0, 5.0])
    cells = made(means, np.zeros(3), 1.0, np.random.default_rng(0)).iloc[1:]
    assert differences(cells, analysed(cells)).empty
