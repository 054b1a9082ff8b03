"""Omega squared by hand, its intervals against the noncentral F, and both on factorials whose shares are known."""

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from pruneexp.studies.factorial.shares import inverted, noncentralities, shares
from pruneexp.studies.factorial.variance import Variance, analysed
from tests.studies.factorial.made import effects, made

SMALL = 2000  # draws


def told(*rows: tuple[str, float, int], residual: float = 2.0, freedom: int = 38, cells: int = 60) -> Variance:
    table = pd.DataFrame(rows, columns=["effect", "ss", "df"]).set_index("effect")
    return Variance(table.assign(f=table["ss"] / table["df"] / residual), residual, freedom, cells)


def test_by_hand() -> None:
    found = shares(told(("allocation", 246.0, 3), ("choice", 128.0, 4), ("interaction", 18.0, 12)), SMALL)
    # V: (246 - 6) / 60 = 4, (128 - 8) / 60 = 2, (18 - 24) / 60 = -0.1; with the residual 2 all is 7.9
    assert found["share"].to_list() == pytest.approx([4 / 7.9, 2 / 7.9, -0.1 / 7.9])
    assert found["partial"].to_list() == pytest.approx([4 / 6, 2 / 4, -0.1 / 1.9])
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
    found = told(("allocation", 246.0, 3), ("choice", 128.0, 4), ("interaction", 18.0, 12))
    drawn = noncentralities(found)
    for row, (f, df) in zip(drawn, zip(found.effects["f"], found.effects["df"], strict=True), strict=True):
        for end, tail in zip(np.quantile(row, (0.2, 0.5, 0.975)), (0.2, 0.5, 0.975), strict=True):
            if end > 1e-6:
                assert stats.ncf.sf(f, df, 38, end) == pytest.approx(tail, abs=0.01)
    assert (drawn >= 0).all()


def test_the_inverse_of_the_noncentral_chi_square_is_one() -> None:
    x, p = np.array([3.0, 30.0, 3000.0, 1e6]), np.array([0.05, 0.5, 0.9, 0.3])
    assert special.chndtr(x, 4, special.chndtrinc(x, 4, p)) == pytest.approx(p, abs=1e-6)


def test_the_same_figures_are_made_each_time() -> None:
    found = told(("allocation", 246.0, 3), ("choice", 128.0, 4), ("interaction", 18.0, 12))
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
