"""Omega squared by hand, its intervals against the noncentral F, and both on factorials whose shares are known."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from pruneexp.studies.factorial.shares import drawn, inverted, shares
from pruneexp.studies.factorial.variance import Variance, analysed
from tests.studies.factorial.made import effects, made

SMALL = 2000  # draws


ROWS = (("allocation", 246.0, 3), ("choice", 128.0, 4), ("interaction", 18.0, 12))
ERRORS = (("allocation", 4.0, 6), ("choice", 1.0, 8), ("interaction", 2.0, 24))
RESIDUAL = (4 * 6 + 1 * 8 + 2 * 24) / 38


def told(errors: Sequence[tuple[str, float, int]] = ERRORS, residual: float = RESIDUAL) -> Variance:
    own = pd.DataFrame(errors, columns=["effect", "ms", "df"]).set_index("effect")
    table = pd.DataFrame(ROWS, columns=["effect", "ss", "df"]).set_index("effect")
    return Variance(table.assign(f_seeds=table["ss"] / table["df"] / own["ms"]), own, residual, 38, 60)


def test_by_hand() -> None:
    found = shares(told(), SMALL)
    # V: (246 - 12) / 60 = 3.9, (128 - 4) / 60 = 31 / 15, (18 - 24) / 60 = -0.1
    parts = np.array([3.9, 31 / 15, -0.1])
    assert found["share"].to_list() == pytest.approx(parts / (parts.sum() + RESIDUAL))
    assert found["partial"].to_list() == pytest.approx(parts / (parts + np.array([4, 1, 2])))
    assert (found["share_low"]["interaction"], found["partial_low"]["interaction"]) == (0, 0)
    assert (found["share_low"] <= found["share"].clip(lower=0)).all()
    assert (found["share"] <= found["share_high"]).all()


@pytest.mark.parametrize(("f", "df", "freedom"), [(10, 3, 38), (3.5, 12, 38), (4000, 3, 38), (7, 1, 15)])
def test_the_ends_of_the_noncentral_f_have_their_tails(f: float, df: int, freedom: int) -> None:
    low, high = inverted(f, df, freedom)
    assert stats.ncf.cdf(f, df, freedom, low) == pytest.approx(0.975, abs=1e-6)
    assert stats.ncf.cdf(f, df, freedom, high) == pytest.approx(0.025, abs=1e-6)


def test_an_f_below_the_central_ones_has_no_lower_or_no_end_at_all() -> None:
    low, high = inverted(1.0, 4, 38)
    assert low == 0 < high
    assert inverted(0.01, 4, 38) == (0, 0)


def test_drawn_together_each_noncentrality_is_that_of_the_inverted_noncentral_f() -> None:
    found = told()
    lambdas, variances = drawn(found)
    for row, f, df, freedom in zip(
        lambdas, found.effects["f_seeds"], found.effects["df"], found.errors["df"], strict=True
    ):
        for end, tail in zip(np.quantile(row, (0.2, 0.5, 0.975)), (0.2, 0.5, 0.975), strict=True):
            if end > 1e-6:
                assert stats.ncf.sf(f, df, freedom, end) == pytest.approx(tail, abs=0.01)
    assert (lambdas >= 0).all()
    for row, ms, df in zip(variances, found.errors["ms"], found.errors["df"], strict=True):
        assert np.median(row) == pytest.approx(ms * df / stats.chi2.ppf(0.5, df), rel=0.01)


def test_an_allocation_that_differs_between_seeds_has_a_wider_interval() -> None:
    def width(of_allocation: float) -> float:
        own = (("allocation", of_allocation, 6), ("choice", 2.0, 8), ("interaction", 2.0, 24))
        found = shares(told(own, 2.0), SMALL)
        return float((found["share_high"] - found["share_low"])["allocation"])

    assert width(20.0) > 1.5 * width(2.0)


def test_the_inverse_of_the_noncentral_chi_square_is_one() -> None:
    x, p = np.array([3.0, 30.0, 3000.0, 1e6]), np.array([0.05, 0.5, 0.9, 0.3])
    assert special.chndtr(x, 4, special.chndtrinc(x, 4, p)) == pytest.approx(p, abs=1e-6)


def test_the_same_figures_are_made_each_time() -> None:
    found = told()
    pd.testing.assert_frame_equal(shares(found, SMALL), shares(found, SMALL))


@pytest.mark.parametrize(
    ("allocations", "choices", "between"),
    [([0, 2, 4, 6], [0, 0, 1, 1], 0.5), ([0, 0, 0, 0], [0, 1, 2, 3], 0.0), ([0, 0, 1, 1], [0, 0, 1, 1], 0.0)],
    ids=["allocation", "choice", "alike"],
)
def test_known_shares_are_recovered_and_mostly_within_their_intervals(
    allocations: list[float], choices: list[float], between: float
) -> None:
    means, squares = effects(allocations, choices, between)
    truth = np.array(squares) / (sum(squares) + 1)  # of a residual variance of 1
    partial = np.array(squares) / (np.array(squares) + 1)
    rng, times = np.random.default_rng(0), 100
    found = [shares(analysed(made(means, np.array([0.0, 9.0, -9.0]), 1.0, rng)), 200) for _ in range(times)]
    points = np.array([one["share"] for one in found])
    assert points.mean(axis=0) == pytest.approx(truth, abs=0.02)
    for name, true in (("share", truth), ("partial", partial)):
        lows, highs = (np.array([one[f"{name}_{end}"] for one in found]) for end in ("low", "high"))
        covered = ((lows <= true) & (true <= highs)).mean(axis=0)
        assert (covered > 0.87).all()
        # an interval that covered always would be too wide; of an effect of nothing its lower end is 0, and only the upper tail is lost
        assert covered.mean() < 0.998
