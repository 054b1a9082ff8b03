"""The best of a network and density, and what cannot be told from it, by paired differences worked out by hand."""

from typing import Any

import pytest

from pruneexp.reports.table import aggregate
from tests.reports.made_frames import cells


def marks(methods: dict[str, list[float | None]], **more: list[object]) -> dict[str, str]:
    """What is marked, by masker; each has the accuracies of seeds 0, 1, 2 ..."""
    maskers = [masker for masker, own in methods.items() for _ in own]
    columns: dict[str, list[Any]] = {
        "masker": maskers, "accuracy": [value for own in methods.values() for value in own],
        "seed": [seed for own in methods.values() for seed in range(len(own))], **more,
    }  # fmt: skip
    table = aggregate(cells(**columns))
    return dict(zip(table["masker"], table["best"], strict=True))


def test_the_best_mean_is_marked_and_what_differs_by_chance_is_tied() -> None:
    # b is less by 1, 2, 3 than a: 2 +- 2.48 holds 0; c by 10, 11, 12: 11 +- 2.48 does not
    found = marks({"a": [60.0, 70.0, 80.0], "b": [59.0, 68.0, 77.0], "c": [50.0, 59.0, 68.0]})
    assert found == {"a": "best", "b": "tied", "c": ""}


def test_differences_count_seed_by_seed_and_not_between_seeds() -> None:
    # seeds scatter by 20, the difference is 1 each time
    assert marks({"a": [40.0, 60.0, 80.0], "b": [39.0, 59.0, 79.0]}) == {"a": "best", "b": ""}


def test_equal_accuracies_are_tied() -> None:
    assert sorted(marks({"a": [50.0, 60.0, 70.0], "b": [50.0, 60.0, 70.0]}).values()) == ["best", "tied"]


def test_below_three_seeds_nothing_is_compared() -> None:
    assert marks({"a": [60.0, 70.0], "b": [1.0, 2.0]}) == {"a": "", "b": ""}
    # the better one has two seeds and is not the best of those that can be compared
    assert marks({"a": [90.0, 91.0], "b": [1.0, 2.0, 3.0], "c": [0.0, 0.5, 1.0]})["a"] == ""
    assert marks({"a": [90.0, None, 91.0], "b": [1.0, 2.0, 3.0], "c": [0.0, 0.5, 1.0]})["a"] == ""


def test_below_three_shared_seeds_nothing_is_tied() -> None:
    found = marks({"a": [60.0, 60.0, 60.0], "b": [59.9, 60.0, 60.0]}, seed=[0, 1, 2, 1, 2, 3])
    assert found == {"a": "best", "b": ""}
    found = marks({"a": [60.0, 60.0, 60.1], "b": [59.9, 60.0, 60.0]}, seed=[0, 1, 2, 0, 2, 1])
    assert found == {"a": "best", "b": "tied"}


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
