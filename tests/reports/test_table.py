"""Seeds aggregated, against numbers worked out by hand."""

import math

import pandas as pd
import pytest

from pruneexp.reports.table import aggregate, interval95
from pruneexp.system.shipped import published_dir


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
        "chance": 1.0,
        "lambda2_min": 0.5,
        "imdb": 1.0,
        "imdb_sum": 3.0,
        "effective_density": 0.01,
        "collapsed_layers": 0,
        "parameters": 1200,
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
            imdb=[1.0, 2.0, 6.0],
            imdb_sum=[5.0, 6.0, 10.0],
        )
    )
    assert len(table) == 1
    row = table.iloc[0]
    assert (row["n"], row["accuracy"], row["diverged"]) == (3, 60.0, 1)
    assert row["ci95"] == pytest.approx(4.30265273 * 10 / math.sqrt(3))
    assert row["dead_filters"] == 2
    assert row["lambda2_min"] == pytest.approx(0.4)
    assert (row["imdb"], row["imdb_sum"]) == (3.0, 7.0)
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


def dense_and_pruned(**columns: list[object]) -> pd.DataFrame:
    """Two dense and two pruned cells of each of two networks."""
    kind: list[object] = ["dense", "dense", "sparsify", "sparsify"] * 2
    fixed: dict[str, list[object]] = {
        "model": [*["vgg16"] * 4, *["vgg11"] * 4],
        "scorer": ["dense" if masker == "dense" else "magnitude" for masker in kind],
        "masker": kind,
        "asked_density": [1.0 if masker == "dense" else 0.1 for masker in kind],
        "accuracy": [70.0, 72.0, 60.0, 61.0, 50.0, 52.0, 51.0, 54.0],
    }
    return cells(**{**fixed, **columns})


def drops(table: pd.DataFrame) -> dict[tuple[str, str], float]:
    return {(row["model"], row["masker"]): row["drop"] for row in table.to_dict("records")}


def test_the_drop_is_what_the_dense_network_has_more_than_the_row() -> None:
    got = drops(aggregate(dense_and_pruned()))
    assert got == {
        ("vgg16", "dense"): 0.0,
        ("vgg16", "sparsify"): 10.5,
        ("vgg11", "dense"): 0.0,
        ("vgg11", "sparsify"): -1.5,  # it can gain
    }


def test_there_is_no_drop_without_the_dense_network_of_the_same_data_model_and_recipe() -> None:
    table = dense_and_pruned()
    got = drops(aggregate(table[(table["masker"] != "dense") | (table["model"] == "vgg11")]))
    assert math.isnan(got["vgg16", "sparsify"])
    assert got["vgg11", "sparsify"] == -1.5
    for column, other in (("recipe", "laenen_cifar_short"), ("dataset", "cifar10")):
        moved = dense_and_pruned()
        moved.loc[moved["masker"] == "dense", column] = other
        got = drops(aggregate(moved))
        assert math.isnan(got["vgg16", "sparsify"])
        assert got["vgg16", "dense"] == 0.0
    assert aggregate(cells(accuracy=[60.0]))["drop"].isna().all()


def test_dense_networks_that_differ_in_an_option_are_one_for_the_drop() -> None:
    table = dense_and_pruned(
        masker=["dense[initialisation=kaiming_normal]", "dense[initialisation=kaiming_uniform]", "a", "a"] * 2
    )
    got = drops(aggregate(table))
    assert got["vgg16", "a"] == 10.5
    assert got["vgg16", "dense[initialisation=kaiming_normal]"] == 1.0


def test_a_diverged_dense_network_leaves_no_drop() -> None:
    table = dense_and_pruned(accuracy=[math.nan, math.nan, 60.0, 61.0, 50.0, math.nan, 51.0, 54.0])
    got = drops(aggregate(table))
    assert math.isnan(got["vgg16", "sparsify"])
    assert got["vgg11", "sparsify"] == -2.5


def ramanujan(**columns: object) -> pd.DataFrame:
    """Cells of a Ramanujan experiment, of whose columns single values are repeated."""
    same = {"scorer": "none", "masker": "ramanujan", "recipe": "ramanujan_30", "dataset": "cifar10", **columns}
    count = max(len(value) for value in same.values() if isinstance(value, list))
    return cells(**{name: value if isinstance(value, list) else [value] * count for name, value in same.items()})


@pytest.mark.parametrize(
    ("model", "density", "accuracy", "published_imdb"),
    [
        ("vgg16_2448", 0.029, 82, 3.463054),
        ("resnet34", 0.053, 84, 3.098840),
        ("resnet18", 0.058, 82, math.nan),
        ("alexnet_2448", 0.0235, 77, math.nan),
    ],
)
def test_the_published_imdb_stands_beside_ours(
    model: str, density: float, accuracy: float, published_imdb: float
) -> None:
    made = aggregate(ramanujan(model=model, asked_density=density, accuracy=[80.0, 81.0])).iloc[0]
    assert (made["published"], made["n"]) == (accuracy, 2)
    assert made["published_imdb"] == pytest.approx(published_imdb, nan_ok=True)
    assert made["imdb"] == 1.0  # ours
    assert "Deterministic Ramanujan graphs" in made["source"]
    for other in ({"masker": "ramanujan_fit"}, {"scorer": "magnitude"}, {"recipe": "smoke"}):
        row = aggregate(ramanujan(model=model, asked_density=density, accuracy=[80.0], **other)).iloc[0]
        assert row[["published", "published_imdb", "source"]].isna().all()


def test_table_4s_published_values_go_by_the_prime() -> None:
    maskers: list[object] = ["ramanujan[p=109]", "ramanujan[p=29]", "ramanujan[p=5]"]
    table = aggregate(ramanujan(model="vgg13_2448", asked_density=0.93, masker=maskers))
    assert dict(zip(table["masker"], table["published"], strict=True)) == dict(zip(maskers, [83, 82, 83], strict=True))


def test_no_setting_is_published_twice() -> None:
    # a second row of the same would double the table's
    files = [pd.read_csv(path, comment="#") for path in sorted(published_dir().glob("*.csv"))]
    on = ["dataset", "model", "scorer", "masker", "density"]
    assert not pd.concat(files).duplicated(on).any()
