"""Student's intervals, against numbers worked out by hand."""

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pruneexp.reports.intervals import FEWEST, interval95, t95
from tests.properties import PROPERTY

T2, T4 = 4.30265273, 2.77644510519779435  # t(0.975) of 2 and 4 degrees of freedom, of a printed table


def floats(*values: float | None) -> "pd.Series[float]":
    return pd.Series(list(values), dtype=float)


def test_the_interval_is_students_t() -> None:
    # deviation 1; two degrees of freedom have a closed form, t(p) = (2p - 1) sqrt(2 / (4p (1 - p)))
    t2 = 0.95 * math.sqrt(2 / (4 * 0.975 * 0.025))
    assert interval95(floats(1, 2, 3)) == pytest.approx(t2 / math.sqrt(3), rel=1e-9)
    # t(0.975, 4) by numerical integration of the density
    values = floats(59.1, 60.2, 58.9, 60.0, 59.3)
    deviation = math.sqrt(sum((value - 59.5) ** 2 for value in values) / 4)
    assert interval95(values) == pytest.approx(T4 * deviation / math.sqrt(5), rel=1e-9)


def test_quantiles_are_those_of_printed_tables() -> None:
    printed = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 10: 2.262, 30: 2.045}
    assert {n: round(t95(n), 3) for n in printed} == printed


def test_below_three_values_there_is_no_interval() -> None:
    assert FEWEST == 3
    for values in ([], [1.0], [10.0, 12.0], [10.0, None, 12.0]):
        assert math.isnan(interval95(floats(*values)))


def test_missing_values_are_left_out() -> None:
    assert interval95(floats(1, None, 2, 3)) == interval95(floats(1, 2, 3))


def test_equal_values_have_an_interval_of_zero() -> None:
    assert interval95(floats(5, 5, 5)) == 0


@PROPERTY
@given(st.lists(st.floats(0, 100), min_size=3, max_size=8), st.floats(-50, 50))
def test_the_interval_does_not_move_with_the_values(values: list[float], shift: float) -> None:
    moved = interval95(floats(*(value + shift for value in values)))
    assert moved == pytest.approx(interval95(floats(*values)), abs=1e-9)
