"""Figures as text: no more digits than their interval supports."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pruneexp.reports.text import decimals, mean_of, number, percent
from tests.properties import PROPERTY


@pytest.mark.parametrize(
    ("half", "digits"),
    [(12.3, 0), (10.0, 0), (9.94, 1), (9.96, 0), (2.4, 1), (1.0, 1), (0.996, 1), (0.5, 2), (0.02, 2), (0.0004, 2), (0.0, 2), (150.0, 0)],
)  # fmt: skip
def test_an_interval_has_two_leading_digits_and_two_decimals_at_most(half: float, digits: int) -> None:
    assert decimals(half) == digits


@pytest.mark.parametrize(
    ("values", "half", "text"),
    [
        ([76.0, 77.2, 79.0], 2.4166, "77.4 ± 2.4"),
        ([60.0, 59.5, 59.93], 0.21, "59.81 ± 0.21"),
        ([40.0, 60.0, 80.0], 24.8, "60 ± 25"),
        ([5.0, 5.0, 5.0], 0.0, "5.00 ± 0.00"),
        ([97.0, 99.0, 100.0], 3.7946, "98.7 [94.9, 100.0]"),  # 100 cuts it
        ([0.0, 1.0, 2.0], 2.4841, "1.0 [0.0, 3.5]"),
        ([61.234], math.nan, "61.23"),
        ([61.234, 59.0], math.nan, "61.23, 59.00"),
        ([], math.nan, ""),
    ],
)
def test_a_mean_has_its_interval_and_seeds_without_one_their_own_values(
    values: list[float], half: float, text: str
) -> None:
    assert mean_of(values, half, 0, 100) == text


def test_a_difference_has_no_bounds() -> None:
    assert mean_of([-1.0, 0.0, 1.0], 2.4841) == "0.0 ± 2.5"


def test_nothing_is_told_of_what_is_missing() -> None:
    assert (number(math.nan, 2), percent(math.nan)) == ("", "")
    assert (number(1.005, 1), percent(0.12345), percent(1.0), percent(0.5)) == ("1.0", "12.3 %", "100 %", "50 %")


@PROPERTY
@given(st.lists(st.floats(0, 100), min_size=3, max_size=6), st.floats(0, 60))
def test_no_mean_has_more_digits_than_its_interval_supports(values: list[float], half: float) -> None:
    text = mean_of(values, half, 0, 100)
    numbers = re.findall(r"\d+(?:\.\d+)?", text)
    digits = {len(one.partition(".")[2]) for one in numbers}
    assert len(digits) == 1  # mean and interval alike
    (count,) = digits
    assert count <= 2
    if count:
        assert half == 0 or round(half, count) < 10 ** (2 - count)  # not a third digit of the interval
    if "[" in text:
        low, high = map(float, numbers[1:])
        assert 0 <= low <= high <= 100
    else:
        assert math.fsum(values) / len(values) - half >= 0
