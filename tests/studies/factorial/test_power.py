"""The smallest difference that could have been seen."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestIndPower

from pruneexp.studies.factorial.power import smallest


def test_of_two_groups_it_is_what_statsmodels_has() -> None:
    effect = TTestIndPower().solve_power(nobs1=10, alpha=0.05, power=0.8)
    assert smallest(4.0, 18, 10) == pytest.approx(2 * effect, rel=1e-6)


def test_it_is_found_in_four_of_five_experiments() -> None:
    n, freedom, sigma = 3, 38, 1.5
    delta = smallest(sigma**2, freedom, n)
    rng, times = np.random.default_rng(0), 20_000
    difference = rng.normal(delta, sigma * math.sqrt(2 / n), times)
    error = np.sqrt(sigma**2 * rng.chisquare(freedom, times) / freedom * 2 / n)
    seen = np.abs(difference) / error > stats.t.isf(0.025, freedom)
    assert seen.mean() == pytest.approx(0.8, abs=0.01)


def test_four_times_the_cells_see_half_the_difference() -> None:
    assert smallest(1.0, 38, 12) == pytest.approx(smallest(1.0, 38, 3) / 2)
    assert smallest(9.0, 38, 3) == pytest.approx(3 * smallest(1.0, 38, 3))


@pytest.mark.parametrize("freedom", [*range(1, 101), 1000])
def test_of_any_degrees_of_freedom(freedom: int) -> None:
    delta, bound = smallest(0.5, freedom, 1), float(stats.t.isf(0.025, freedom))
    assert stats.ncf.cdf(bound**2, 1, freedom, delta**2) == pytest.approx(0.2)
    assert delta > 2.8  # the two normal quantiles, which more degrees of freedom come down to
