"""Seeds aggregated, against numbers worked out by hand."""

import math

import pandas as pd
import pytest

from pruneexp.reports.table import aggregate, interval95


def cells(**columns: list[object]) -> pd.DataFrame:
    """Cells of one setting; `columns` replace the defaults and say how many there are."""
    count = len(next(iter(columns.values())))
    constant = {
        "dataset": "cifar100",
        "model": "vgg16",
        "scorer": "magnitude",
        "masker": "sparsify",
        "recipe": "laenen_cifar",
        "asked_density": 0.01,
        "density": 0.01,
        "accuracy": 60.0,
        "lambda2_min": 0.5,
        "imdb": 1.0,
        "effective_density": 0.01,
        "components": 3,
        "dead_filters": 0,
        "macs": 10,
        "precision": "float32",
        "diverged": False,
        "pruning_seconds": 1.0,
        "training_seconds": 2.0,
    }
    return pd.DataFrame({**{name: [value] * count for name, value in constant.items()}, **columns})


def test_the_interval_is_students_t() -> None:
    # deviation 1; two degrees of freedom have a closed form, t(p) = (2p - 1) sqrt(2 / (4p (1 - p)))
    t2 = 0.95 * math.sqrt(2 / (4 * 0.975 * 0.025))
    assert interval95(pd.Series([1.0, 2.0, 3.0])) == pytest.approx(t2 / math.sqrt(3), rel=1e-9)
    # one degree of freedom is Cauchy's distribution; deviation / sqrt(n) = |a - b| / 2
    assert interval95(pd.Series([10.0, 12.0])) == pytest.approx(math.tan(0.475 * math.pi), rel=1e-9)
    # t(0.975, 4) = 2.77644510519779435 by numerical integration of the density
    values = pd.Series([59.1, 60.2, 58.9, 60.0, 59.3])
    deviation = math.sqrt(sum((value - 59.5) ** 2 for value in values) / 4)
    assert interval95(values) == pytest.approx(2.77644510519779435 * deviation / math.sqrt(5), rel=1e-9)


def test_one_value_has_no_interval() -> None:
    assert math.isnan(interval95(pd.Series([1.0])))
    assert math.isnan(interval95(pd.Series([], dtype=float)))


def test_equal_values_have_an_interval_of_zero() -> None:
    assert interval95(pd.Series([5.0, 5.0, 5.0])) == 0


def test_means_counts_and_medians() -> None:
    table = aggregate(
        cells(
            accuracy=[50.0, 60.0, 70.0],
            dead_filters=[0, 1, 5],
            diverged=[False, True, False],
            pruning_seconds=[1.0, 2.0, 100.0],
            training_seconds=[3.0, 4.0, 500.0],
            lambda2_min=[0.2, 0.4, 0.6],
        )
    )
    assert len(table) == 1
    row = table.iloc[0]
    assert (row["n"], row["accuracy"], row["diverged"]) == (3, 60.0, 1)
    assert row["ci95"] == pytest.approx(4.30265273 * 10 / math.sqrt(3))
    assert row["dead_filters"] == 2
    assert row["lambda2_min"] == pytest.approx(0.4)
    assert (row["pruning_seconds"], row["training_seconds"]) == (2.0, 4.0)


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


def test_the_published_value_stands_beside_the_setting_it_belongs_to() -> None:
    table = aggregate(cells(asked_density=[0.01, 0.02, 0.01], masker=["sparsify", "sparsify", "greedy"]))
    rows = {(row["masker"], row["asked_density"]): row for row in table.to_dict("records")}
    row = rows["sparsify", 0.01]
    assert (row["published"], row["published_ci95"]) == (59.81, 0.21)
    assert "Laenen 2023" in row["source"]
    assert math.isnan(rows["sparsify", 0.02]["published"])
    assert math.isnan(rows["greedy", 0.01]["published"])


def test_figures_that_no_cell_has_are_empty_and_not_a_fault() -> None:
    table = aggregate(cells(imdb=[None, None, None], lambda2_min=[None, 0.5, 0.7], accuracy=[1.0, 2.0, 3.0]))
    assert math.isnan(table["imdb"].iloc[0])
    assert table["lambda2_min"].iloc[0] == pytest.approx(0.6)
    assert table["accuracy"].iloc[0] == 2.0
