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


def said(
    allocation: tuple[float, ...],
    choice: tuple[float, ...],
    p: float = 0.5,
    of_factors: tuple[float, float] = (0.0, 0.0),
) -> tuple[str, str]:
    names = ["share", "share_low", "share_high"]
    rows = {"allocation": allocation, "choice": choice, "interaction": (0.02, 0.0, 0.1)}
    shares = pd.DataFrame.from_dict(rows, orient="index", columns=names)
    found = dict(zip(("allocation", "choice"), of_factors, strict=True))
    return answer(shares, pd.Series({**found, "interaction": p}), OF), order(shares)


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


@pytest.mark.parametrize(("p", "told"), [((0.05, 0.9), True), ((0.9, 0.049), False), ((0.04, 0.03), False)])
def test_where_neither_passes_its_test_that_is_said(p: tuple[float, float], told: bool) -> None:
    found, _ = said((0.01, 0.0, 0.1), (0.02, 0.0, 0.2), of_factors=p)
    assert ("neither can be told from nothing" in found) == told


def test_without_an_interaction_nothing_is_said_of_it() -> None:
    shares = pd.DataFrame([LARGE, SMALL], ["allocation", "choice"], ["share", "share_low", "share_high"])
    told = answer(shares, pd.Series({"allocation": 0.0, "choice": 0.0}), OF)
    assert told.endswith("Of their interaction the cells that are there say nothing.")


def test_what_three_seeds_could_not_have_seen() -> None:
    cells = made(effects([0, 1, 2, 3], [0, 1, 2, 3, 4])[0], np.zeros(3), 2.0, np.random.default_rng(0))
    found = analysed(cells)
    told = unseen(found, cells)
    assert told.startswith(f"With 3 seeds and a residual deviation of {math.sqrt(found.residual):.2f} points")
    assert f"{smallest(found.residual, 38, 3):.2f} " in told.partition("combinations")[0]
    # a mean of an allocation has as many proofs as seeds tell it apart, not as cells
    for name, n, df in (("allocation", 15, 6), ("choice", 12, 8)):
        assert f"{smallest(found.errors['ms'][name], df, n):.2f} between two {name}s" in told
