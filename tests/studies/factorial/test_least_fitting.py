"""The combination that stands out is found, whatever the effects are."""

import numpy as np
import pytest

from pruneexp.studies.factorial.least_fitting import least_fitting
from tests.studies.factorial.made import effects, made


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(("a", "c"), [(0, 0), (2, 1), (3, 4)])
def test_one_combination_is_planted_and_found(a: int, c: int, sign: int) -> None:
    means, _ = effects([0.0, 3.0, 9.0, 1.0], [5.0, 0.0, 2.0, 8.0, 30.0])
    means[a, c] += sign * 6
    cells = made(means, np.array([0.0, 20.0, -7.0]), 0.5, np.random.default_rng(0))
    assert least_fitting(cells) == (f"a{a}", f"c{c}")


def test_missing_cells_are_no_deviation() -> None:
    means, _ = effects([0.0, 3.0, 9.0], [5.0, 0.0, 2.0])
    means[1, 2] -= 4
    cells = made(means, np.array([0.0, 20.0]), 0.1, np.random.default_rng(1))
    there = cells[~((cells["allocation"] == "a0") & (cells["choice"] == "c0")) & (cells.index != 5)]
    assert least_fitting(there) == ("a1", "c2")


def test_of_equal_deviations_the_first_is_named() -> None:
    cells = made(np.array([[1.0, -1.0], [-1.0, 1.0]]), np.zeros(2), 0.0, np.random.default_rng(0))
    assert least_fitting(cells) == ("a0", "c0")
