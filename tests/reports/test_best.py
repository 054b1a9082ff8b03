"""The best of a network and density, and what cannot be told from it, on accuracies worked out by hand."""

import math
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pruneexp.reports.notes import notes
from pruneexp.reports.table import aggregate
from tests.reports.made_frames import cells
from tests.reports.test_comparison import GRAFTS

T2, T4 = 4.30265273, 2.77644511  # t(0.975) of 2 and 4 degrees of freedom, of a printed table


def made(methods: dict[str, list[float | None]], **more: list[object]) -> pd.DataFrame:
    """Cells of each masker with the accuracies of seeds 0, 1, 2 ..."""
    maskers = [masker for masker, own in methods.items() for _ in own]
    columns: dict[str, list[Any]] = {
        "masker": maskers, "accuracy": [value for own in methods.values() for value in own],
        "seed": [seed for own in methods.values() for seed in range(len(own))], **more,
    }  # fmt: skip
    return cells(**columns)


def compared(methods: dict[str, list[float | None]], **more: list[object]) -> pd.DataFrame:
    """The table, by masker."""
    return aggregate(made(methods, **more)).set_index("masker")


def marks(methods: dict[str, list[float | None]], **more: list[object]) -> dict[str, str]:
    """What is marked, by masker."""
    return dict(compared(methods, **more)["best"])


def test_the_best_mean_is_marked_and_what_differs_by_chance_is_tied() -> None:
    # b is less by 1, 2, 3 than a, c by 10, 11, 12; less seed and method each has the residual -2/3, 0, 2/3 or half of it back: sum of
    # squares 4/3 at 4 degrees of freedom, so the half width is t sqrt(1/3 * 2/3)
    table = compared({"a": [60.0, 70.0, 80.0], "b": [59.0, 68.0, 77.0], "c": [50.0, 59.0, 68.0]})
    half = T4 * math.sqrt(2 / 9)
    assert table["difference_ci95"].to_dict() == pytest.approx({"a": math.nan, "b": half, "c": half}, nan_ok=True)
    assert table["best_difference"].to_dict() == pytest.approx({"a": math.nan, "b": 2, "c": 11}, nan_ok=True)
    assert table["best"].to_dict() == {"a": "best", "b": "", "c": ""}
    # of two alone the half width is t of 2 degrees, 1 / sqrt(3): 2 +- 2.48 holds 0
    table = compared({"a": [60.0, 70.0, 80.0], "b": [59.0, 68.0, 77.0]})
    assert table.loc["b", "difference_ci95"] == pytest.approx(T2 / math.sqrt(3))
    assert table["best"].to_dict() == {"a": "best", "b": "tied"}


def test_the_residual_is_pooled_over_the_methods() -> None:
    # b is less than a by 2, 3, 4: alone 3 +- 2.48
    two: dict[str, list[float | None]] = {"a": [60.0, 70.0, 80.0], "b": [58.0, 67.0, 76.0]}
    assert marks(two)["b"] == ""
    # beside a method that does now this and now that the same difference says nothing
    assert marks({**two, "c": [40.0, 20.0, 65.0]})["b"] == "tied"


def test_p_is_corrected_for_how_many_are_compared() -> None:
    # the grafts of test_comparison.py, six pairs: the smallest p six times; 0.0247 is the third, and with its turn four are left
    methods: dict[str, list[float | None]] = {name: list(column) for name, column in zip("abcd", GRAFTS.T, strict=True)}
    table = compared(methods)
    t = table["best_difference"] / table["difference_ci95"] * stats.t.ppf(0.975, 15)
    own = 2 * stats.t.sf(t, 15)
    assert table["best_p"].to_numpy() == pytest.approx(own * [math.nan, 1, 4, 6], nan_ok=True)
    assert own[2] == pytest.approx(0.0247, abs=5e-5)
    assert table["best"].to_dict() == {"a": "best", "b": "tied", "c": "tied", "d": ""}


def test_differences_count_seed_by_seed_and_not_between_seeds() -> None:
    # seeds scatter by 20, the difference is 1 each time
    assert marks({"a": [40.0, 60.0, 80.0], "b": [39.0, 59.0, 79.0]}) == {"a": "best", "b": ""}


def test_equal_accuracies_are_tied() -> None:
    assert sorted(marks({"a": [50.0, 60.0, 70.0], "b": [50.0, 60.0, 70.0]}).values()) == ["best", "tied"]
    table = compared({name: [61.3, 10.0, 77.7] for name in "abc"})
    assert sorted(table["best"]) == ["best", "tied", "tied"]
    tied = table.loc[table["best"] == "tied", ["best_difference", "difference_ci95", "best_p"]]
    assert tied.to_numpy() == pytest.approx(np.array([[0, 0, 1]] * 2), abs=1e-12)


def test_below_three_seeds_nothing_is_compared() -> None:
    table = compared({"a": [60.0, 70.0], "b": [1.0, 2.0]})
    assert table["best"].to_dict() == {"a": "", "b": ""}
    assert table[["best_difference", "difference_ci95", "best_p"]].isna().all(axis=None)
    # the first has two seeds and is not the best of those that can be compared
    firsts: list[list[float | None]] = [[90.0, 91.0], [90.0, None, 91.0]]
    for first in firsts:
        table = compared({"a": first, "b": [1.0, 2.0, 3.0], "c": [0.5, 0.5, 1.5]})
        assert table["best"].to_dict() == {"a": "", "b": "best", "c": "tied"}
        assert table["best_p"].notna().to_dict() == {"a": False, "b": False, "c": True}


def test_below_three_shared_seeds_nothing_is_compared() -> None:
    found = marks({"a": [60.0, 60.0, 60.0], "b": [59.9, 60.0, 60.0]}, seed=[0, 1, 2, 1, 2, 3])
    assert found == {"a": "", "b": ""}
    found = marks({"a": [60.0, 60.0, 60.1], "b": [59.9, 60.0, 60.0]}, seed=[0, 1, 2, 0, 2, 1])
    assert found == {"a": "best", "b": "tied"}
    seeds: list[object] = [0, 1, 2, 0, 1, 2, 1, 2, 3]
    frame = made({"a": [70.0, 60.0, 60.0], "b": [59.0, 58.0, 50.0], "c": [50.0, 60.0, 60.0]}, seed=seeds)
    table = aggregate(frame)
    assert dict(zip(table["masker"], table["best"], strict=True)) == {"a": "best", "b": "tied", "c": ""}
    assert "Not compared, with fewer than three seeds in common with the highest mean: 1 row." in notes(table, frame)


def test_missing_seeds_are_made_good_by_the_model() -> None:
    # b lacks the hard seed 3: its mean is the highest, and on the seeds of both it is less than a by 1 each time
    table = compared({"a": [81.0, 71.0, 61.0, 1.0], "b": [80.0, 70.0, 60.0], "c": [79.0, 69.0, 59.0, -1.0]})
    assert table.loc["a", "best_difference"] == pytest.approx(-1)
    assert table["best"].to_dict() == {
        "a": "tied",
        "b": "best",
        "c": "",
    }  # what is not below the highest mean is marked with it


def test_one_method_alone_is_not_the_best() -> None:
    assert marks({"a": [60.0, 61.0, 62.0]}) == {"a": ""}


def test_the_dense_network_is_not_compared() -> None:
    found = marks({"dense": [90.0, 91.0, 92.0], "a": [60.0, 61.0, 62.0], "b": [10.0, 11.0, 12.0]})
    assert found == {"dense": "", "a": "best", "b": ""}


@pytest.mark.parametrize("column", ["dataset", "model", "recipe", "precision", "asked_density"])
def test_each_network_recipe_precision_and_density_has_its_own_best(column: str) -> None:
    values: list[object] = [0.1, 0.2] if column == "asked_density" else ["x", "y"]
    table = aggregate(
        cells(**{
            "masker": ["a"] * 3 + ["b"] * 3 + ["a"] * 3 + ["b"] * 3, column: [values[0]] * 6 + [values[1]] * 6,
            "accuracy": [60.0, 61.0, 62.0, 50.0, 51.0, 52.0, 10.0, 11.0, 12.0, 20.0, 21.0, 22.0],
        })
    )  # fmt: skip
    best = {(row[column], row["masker"]): row["best"] for row in table.to_dict("records")}
    assert best == {(values[0], "a"): "best", (values[0], "b"): "", (values[1], "a"): "", (values[1], "b"): "best"}


def test_the_library_of_the_correction_is_imported_only_where_something_is_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "statsmodels.stats.multitest", None)
    assert marks({"a": [60.0, 70.0], "b": [1.0, 2.0]}) == {"a": "", "b": ""}
    assert marks({"a": [60.0, 70.0, 80.0], "b": [1.0, 2.0]}) == {"a": "", "b": ""}
    with pytest.raises(ModuleNotFoundError, match="multitest"):
        marks({"a": [60.0, 70.0, 80.0], "b": [1.0, 2.0, 3.0]})
