"""The sentences follow the numbers."""

import math

import numpy as np
import pandas as pd
import pytest

from pruneexp.studies.factorial.answer import answer, order, unseen
from pruneexp.studies.factorial.power import smallest
from pruneexp.studies.factorial.variance import analysed
from tests.studies.factorial.made import effects, made

OF = "resnet20 on cifar10 at 5 %"


def said(allocation: tuple[float, ...], choice: tuple[float, ...], p: float = 0.5) -> tuple[str, str]:
    names = ["share", "share_low", "share_high"]
    rows = {"allocation": allocation, "choice": choice, "interaction": (0.02, 0.0, 0.1)}
    shares = pd.DataFrame.from_dict(rows, orient="index", columns=names)
    return answer(shares, pd.Series({"allocation": 0.0, "choice": 0.0, "interaction": p}), OF), order(shares)


LARGE, SMALL, NEAR = (0.6, 0.5, 0.7), (0.1, 0.03, 0.2), (0.4, 0.25, 0.55)


def test_how_many_matters_more() -> None:
    told, first = said(LARGE, SMALL)
    assert first == "allocation"
    assert told == (
        "Of resnet20 on cifar10 at 5 %, for these levels, how many weights each layer keeps has 60.0 % [50.0, 70.0] of the variance of"
        " accuracy, and which of them it keeps 10.0 % [3.0, 20.0]: how many weights each layer keeps matters more, and the intervals do not"
        " overlap. Their interaction has 2.0 % [0.0, 10.0] (p = 0.5): what a choice is worth was not seen to depend on the allocation."
    )


def test_which_matters_more() -> None:
    told, first = said(SMALL, LARGE, p=0.001)
    assert first == "choice"
    assert ": which of them it keeps matters more, and the intervals do not overlap. " in told
    assert told.endswith("(p = 0.001): what a choice is worth depends on the allocation.")


@pytest.mark.parametrize(
    ("allocation", "choice", "larger"),
    [(LARGE, NEAR, "how many weights each layer keeps"), (NEAR, LARGE, "which of them it keeps")],
)
def test_where_intervals_overlap_neither_is_said_to_matter_more(
    allocation: tuple[float, ...], choice: tuple[float, ...], larger: str
) -> None:
    told, first = said(allocation, choice)
    assert first == "neither"
    assert f": {larger} has the larger share, but the intervals overlap, so which matters more cannot be said. " in told


def test_where_both_intervals_hold_nothing_that_is_said() -> None:
    assert "neither can be told from nothing" in said((0.01, 0.0, 0.1), (-0.01, 0.0, 0.08))[0]


def test_without_an_interaction_nothing_is_said_of_it() -> None:
    shares = pd.DataFrame([LARGE, SMALL], ["allocation", "choice"], ["share", "share_low", "share_high"])
    told = answer(shares, pd.Series({"allocation": 0.0, "choice": 0.0}), OF)
    assert told.endswith("Of their interaction the cells that are there say nothing.")


def test_what_three_seeds_could_not_have_seen() -> None:
    cells = made(effects([0, 1, 2, 3], [0, 1, 2, 3, 4])[0], np.zeros(3), 2.0, np.random.default_rng(0))
    found = analysed(cells)
    told = unseen(found, cells)
    assert told.startswith(f"With 3 seeds and a residual deviation of {math.sqrt(found.residual):.2f} points")
    for n, what in ((3, "combinations"), (15, "allocations"), (12, "choices")):
        assert f"{smallest(found.residual, 38, n):.2f} " in told.partition(what)[0]
