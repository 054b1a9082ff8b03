"""Seeds aggregated, against numbers worked out by hand."""

import math
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pruneexp.reports.frame import SETTING
from pruneexp.reports.published import MASKS, published
from pruneexp.reports.table import aggregate
from tests.properties import PROPERTY
from tests.reports.made_frames import cells

T2 = 4.30265273  # t(0.975) of two degrees of freedom


def test_means_counts_and_medians() -> None:
    table = aggregate(
        cells(
            accuracy=[50.0, 60.0, 70.0],
            dead_filters=[0, 1, 5],
            diverged=[False, True, False],
            pruning_seconds=[1.0, 2.0, 100.0],
            training_seconds=[3.0, 4.0, 500.0],
            lambda2_min=[0.2, 0.4, 0.6],
            imdb=[1.0, 2.0, 6.0],
            imdb_sum=[5.0, 6.0, 10.0],
        )
    )
    assert len(table) == 1
    row = table.iloc[0]
    assert (row["n"], row["seeds"], row["accuracy"], row["diverged"]) == (3, 3, 60.0, 1)
    assert row["ci95"] == pytest.approx(T2 * 10 / math.sqrt(3))
    assert row["accuracies"] == (50.0, 60.0, 70.0)
    assert row["dead_filters"] == 2
    assert row["lambda2_min"] == pytest.approx(0.4)
    assert (row["imdb"], row["imdb_sum"]) == (3.0, 7.0)
    assert (row["pruning_seconds"], row["training_seconds"]) == (2.0, 4.0)


def test_what_a_machine_may_disturb_is_a_median_and_every_other_measurement_a_mean() -> None:
    table = aggregate(
        cells(
            seed=[0, 1, 2],
            peak_memory_bytes=[1, 2, 90],
            **{"latency/cpu/64": [1.0, 2.0, 90.0], "topology/motif4": [1.0, 2.0, 90.0]},
        )
    )
    row = table.iloc[0]
    assert (row["peak_memory_bytes"], row["latency/cpu/64"], row["topology/motif4"]) == (2, 2.0, 31.0)


def test_seeds_options_and_origin_are_no_figures() -> None:
    table = aggregate(cells(**{"seed": [0, 7], "rounds": [3, 3], "recipe.lr": [0.1, 0.1]}))
    assert not {"seed", "rounds", "recipe.lr", "key", "digest", "command", "git_commit", "dense_group"} & {*table}


def test_settings_are_kept_apart_and_dense_comes_first() -> None:
    table = aggregate(
        cells(
            masker=["sparsify", "sparsify", "greedy", "dense", "sparsify"],
            asked_density=[0.01, 0.1, 0.1, 1.0, 0.01],
            accuracy=[1.0, 2.0, 3.0, 4.0, 2.0],
        )
    )
    assert table["asked_density"].tolist() == [1.0, 0.1, 0.1, 0.01]
    assert table["masker"].tolist() == ["dense", "sparsify", "greedy", "sparsify"]
    assert table["n"].tolist() == [1, 1, 1, 2]
    assert table["accuracy"].tolist() == [4.0, 2.0, 3.0, 1.5]


@pytest.mark.parametrize("name", SETTING)
def test_cells_that_differ_in_any_part_of_the_setting_are_never_one_row(name: str) -> None:
    values: list[Any] = [0.5, 0.25] if name == "asked_density" else ["a", "b"]
    table = aggregate(cells(**{"seed": [0, 1], name: values}))
    assert table["n"].tolist() == [1, 1]
    assert sorted(table[name]) == sorted(values, key=str)


def test_a_seed_without_accuracy_is_counted_and_left_out_of_the_mean() -> None:
    row = aggregate(cells(accuracy=[50.0, None, 70.0], diverged=[False, True, False])).iloc[0]
    assert (row["n"], row["seeds"], row["diverged"], row["accuracy"]) == (2, 3, 1, 60.0)
    assert row["accuracies"] == (50.0, 70.0)
    assert math.isnan(row["ci95"])  # two are too few
    lost = aggregate(cells(accuracy=[None, None], diverged=[True, True])).iloc[0]
    assert (lost["n"], lost["seeds"], lost["accuracies"]) == (0, 2, ())
    assert math.isnan(lost["accuracy"])


def test_intervals_lie_within_0_and_100() -> None:
    # 97, 99, 100: mean 98.67, deviation 1.53, half width 3.79
    row = aggregate(cells(accuracy=[97.0, 99.0, 100.0])).iloc[0]
    assert row["ci95"] == pytest.approx(T2 * math.sqrt(7 / 3) / math.sqrt(3))
    assert (row["accuracy_low"], row["accuracy_high"]) == (pytest.approx(98.6667 - 3.7946, abs=1e-3), 100)
    assert aggregate(cells(accuracy=[0.0, 1.0, 2.0])).iloc[0]["accuracy_low"] == 0


def test_figures_that_no_cell_has_are_empty_and_not_a_fault() -> None:
    table = aggregate(cells(imdb=[None, None, None], lambda2_min=[None, 0.5, 0.7], accuracy=[1.0, 2.0, 3.0]))
    assert "imdb" not in table or math.isnan(table["imdb"].iloc[0])
    assert table["lambda2_min"].iloc[0] == pytest.approx(0.6)
    assert table["accuracy"].iloc[0] == 2.0


# drops


def dense_and_pruned(**columns: Any) -> pd.DataFrame:
    """Two dense and two pruned cells of each of two networks."""
    kind = ["dense", "dense", "sparsify", "sparsify"] * 2
    fixed: dict[str, Any] = {
        "model": [*["vgg16"] * 4, *["vgg11"] * 4],
        "scorer": ["dense" if masker == "dense" else "magnitude" for masker in kind],
        "masker": kind,
        "asked_density": [1.0 if masker == "dense" else 0.1 for masker in kind],
        "accuracy": [70.0, 72.0, 60.0, 61.0, 50.0, 52.0, 51.0, 54.0],
    }
    return cells(**{**fixed, **columns})


def by_method(table: pd.DataFrame, column: str) -> dict[tuple[str, str], Any]:
    return {(row["model"], row["masker"]): row[column] for row in table.to_dict("records")}


def test_the_drop_is_the_mean_difference_of_pairs_of_seeds() -> None:
    table = aggregate(dense_and_pruned())
    drops = by_method(table, "drop")
    assert (drops["vgg16", "sparsify"], drops["vgg11", "sparsify"]) == (10.5, -1.5)  # it can gain
    assert by_method(table, "drops")["vgg16", "sparsify"] == (10.0, 11.0)
    assert by_method(table, "pairs") == {
        ("vgg16", "dense"): 0, ("vgg16", "sparsify"): 2, ("vgg11", "dense"): 0, ("vgg11", "sparsify"): 2
    }  # fmt: skip
    assert math.isnan(drops["vgg16", "dense"])  # of itself it says nothing


def test_the_interval_of_a_drop_is_that_of_the_differences() -> None:
    # accuracies scatter by 20, differences are 9, 10, 11: deviation 1
    kind = ["dense"] * 3 + ["sparsify"] * 3
    row = aggregate(
        cells(masker=kind, scorer=["dense"] * 3 + ["snip"] * 3, asked_density=[1.0] * 3 + [0.1] * 3,
              accuracy=[50.0, 70.0, 90.0, 41.0, 60.0, 79.0])
    ).iloc[1]  # fmt: skip
    assert (row["drop"], row["pairs"]) == (10.0, 3)
    assert row["drop_ci95"] == pytest.approx(T2 / math.sqrt(3))


def test_a_seed_that_the_dense_network_lacks_is_no_pair() -> None:
    table = aggregate(dense_and_pruned(seed=[0, 1, 1, 2] * 2))
    assert by_method(table, "pairs")["vgg16", "sparsify"] == 1
    assert by_method(table, "drop")["vgg16", "sparsify"] == 72 - 60
    diverged = aggregate(dense_and_pruned(accuracy=[70.0, None, 60.0, 61.0, 50.0, 52.0, 51.0, None]))
    assert by_method(diverged, "pairs")["vgg16", "sparsify"] == by_method(diverged, "pairs")["vgg11", "sparsify"] == 1
    assert by_method(diverged, "drop") == pytest.approx(
        {("vgg16", "dense"): math.nan, ("vgg16", "sparsify"): 10.0, ("vgg11", "dense"): math.nan, ("vgg11", "sparsify"): -1.0},
        nan_ok=True,
    )  # fmt: skip


def test_without_a_dense_network_there_is_no_drop() -> None:
    row = aggregate(cells(accuracy=[60.0])).iloc[0]
    assert math.isnan(row["drop"])
    assert (row["pairs"], row["drops"]) == (0, ())


# published figures


def test_the_published_value_stands_beside_the_setting_it_belongs_to() -> None:
    masks: dict[str, Any] = {"asked_density": [0.01, 0.02, 0.01], "masker": ["sparsify", "sparsify", "greedy"]}
    table = aggregate(cells(**masks, options=["batchnorm_init=uniform"] * 3))
    rows = {(row["masker"], row["asked_density"]): row for row in table.to_dict("records")}
    row = rows["sparsify", 0.01]
    assert (row["published"], row["published_ci95"]) == (59.81, 0.21)
    assert "Laenen 2023" in row["source"]
    assert math.isnan(rows["sparsify", 0.02]["published"])
    assert math.isnan(rows["greedy", 0.01]["published"])


def ramanujan(**columns: object) -> pd.DataFrame:
    """Cells of a Ramanujan experiment, of whose columns single values are repeated."""
    same = {
        "scorer": "none", "masker": "ramanujan", "recipe": "ramanujan_30", "dataset": "cifar10",
        "options": "initialisation=kaiming_uniform", **columns,
    }  # fmt: skip
    count = max(len(value) for value in same.values() if isinstance(value, list))
    return cells(**{name: value if isinstance(value, list) else [value] * count for name, value in same.items()})


@pytest.mark.parametrize(
    ("model", "masker", "density", "accuracy", "published_imdb"),
    [
        ("vgg16_2448", "ramanujan[least_channels=256]", 0.029, 82, 3.463054),
        ("resnet34", "ramanujan", 0.053, 84, 3.098840),
        ("resnet18", "ramanujan", 0.058, 82, math.nan),
        ("alexnet_2448", "ramanujan[least_channels=256]", 0.0235, 77, math.nan),
    ],
)
def test_the_published_imdb_stands_beside_ours(
    model: str, masker: str, density: float, accuracy: float, published_imdb: float
) -> None:
    same = {"model": model, "masker": masker, "asked_density": density}
    made = aggregate(ramanujan(**same, accuracy=[80.0, 81.0])).iloc[0]
    assert (made["published"], made["n"]) == (accuracy, 2)
    assert made["published_imdb"] == pytest.approx(published_imdb, nan_ok=True)
    assert made["imdb"] == 1.0  # ours
    assert "Deterministic Ramanujan graphs" in made["source"]
    for other in ({"masker": "ramanujan_fit"}, {"scorer": "magnitude"}, {"options": ""}, {"masker": f"{masker}x"}):
        row = aggregate(ramanujan(**{**same, **other}, accuracy=[80.0])).iloc[0]
        assert row[["published", "published_imdb", "published_imdb_norm", "source", "published_elsewhere"]].isna().all()
    # what is of the masks stands beside another recipe too, with a word on where the accuracy is
    row = aggregate(ramanujan(**same, recipe="smoke", accuracy=[80.0])).iloc[0]
    assert row[["published", "published_ci95", "source"]].isna().all()
    assert row["published_imdb"] == pytest.approx(published_imdb, nan_ok=True)
    assert row["published_elsewhere"] == "ramanujan_30"


def test_table_4s_published_values_go_by_the_prime() -> None:
    maskers = [f"ramanujan[convolutions=false{p}]" for p in (",p=109", "", ",p=5")]  # 29 is the default
    table = aggregate(ramanujan(model="vgg13_2448", asked_density=0.93, masker=maskers))
    assert dict(zip(table["masker"], table["published"], strict=True)) == dict(zip(maskers, [83, 82, 83], strict=True))


def test_no_setting_is_published_twice() -> None:
    assert not published().duplicated([*MASKS, "recipe"]).any()  # a second row of the same would double the table's


# the order of the records

ROWS = [  # recipe, masker, density, seed, accuracy
    ("laenen_cifar", masker, density, seed, 40.0 + 7 * seed + 3 * len(masker) + 30 * density)
    for masker, density in (("dense", 1.0), ("sparsify", 0.1), ("greedy", 0.1), ("greedy_global", 0.01))
    for seed in range(4)
    if (masker, seed) != ("dense", 2)
]


def of_rows(rows: list[tuple[str, str, float, int, float]]) -> pd.DataFrame:
    recipes, maskers, densities, seeds, accuracies = map(list, zip(*rows, strict=True))
    return aggregate(
        cells(recipe=recipes, masker=maskers, asked_density=densities, seed=seeds, accuracy=accuracies)
    ).set_index("group")


@settings(PROPERTY, max_examples=8)
@given(st.permutations(ROWS))
def test_the_table_is_the_same_whatever_the_order_of_the_records(
    rows: list[tuple[str, str, float, int, float]],
) -> None:
    want, got = of_rows(ROWS), of_rows(rows)
    pd.testing.assert_frame_equal(got.loc[want.index], want)
    assert got["asked_density"].is_monotonic_decreasing
