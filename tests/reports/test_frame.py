"""Records as a tidy frame: a row for each cell, in groups that differ in their seeds alone, each paired with its dense cell."""

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pruneexp.cell import Cell
from pruneexp.reports.frame import SETTING, flat, tidy
from pruneexp.reports.labels import Labels, dense_of
from pruneexp.reports.notes import notes
from pruneexp.reports.plain import plain_csv
from pruneexp.reports.presets import Presets
from pruneexp.reports.table import aggregate
from pruneexp.system.shipped import conf_dir
from tests.properties import PROPERTY
from tests.reports.made_records import made_cell, record

OF_LATER_VERSIONS = ("imdb_sum", "imdb_norm", "imdb_layers", "parameters")
Made = tuple[Cell, float | None, dict[str, Any]]


def framed(*made: Cell | tuple[Cell, float | None], **changes: Any) -> pd.DataFrame:
    """The frame of cells, at 50 % or their accuracies."""
    each = [one if isinstance(one, tuple) else (one, 50.0) for one in made]
    return tidy((record(cell, accuracy, digest="d", **changes), cell.names) for cell, accuracy in each)


def test_seeds_are_rows_of_one_group_and_precisions_are_not() -> None:
    found = framed(*(made_cell(seed=0, precision=precision) for precision in ("float32", "bf16")))
    assert found["group"].nunique() == 2
    assert aggregate(found)[["precision", "n"]].to_numpy().tolist() == [["bf16", 1], ["float32", 1]]
    seeds = framed(*(made_cell(seed=seed) for seed in (0, 1, 2)))
    assert seeds["group"].nunique() == 1
    assert seeds["seed"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("variant", "column"),
    [
        ({"recipe__lr": 0.1}, "recipe"),
        ({"initialisation": "kaiming_uniform"}, "options"),
        ({"recipe__epochs": 9}, "recipe"),
        ({"precision": "bf16"}, "precision"),
        ({"model": "resnet20"}, "model"),
    ],
)
def test_each_dense_variant_gives_its_own_cells_their_drops(variant: dict[str, Any], column: str) -> None:
    made = [
        (made_cell(seed=seed, density=density, **options), accuracy + seed * slope)
        for options, dense, pruned in (({}, 90.0, 80.0), (variant, 70.0, 40.0))
        for density, accuracy, slope in ((1.0, dense, 1.0), (0.1, pruned, 3.0))
        for seed in (0, 1)
    ]
    found = framed(*made)
    pruned = found[found["asked_density"] < 1]
    assert pruned["drop"].tolist() == [10.0, 8.0, 30.0, 28.0]
    assert found.loc[found["asked_density"] == 1, "drop"].isna().all()
    table = aggregate(found)
    told = table[table["masker"] != "dense"].sort_values("drop")
    assert told["drop"].tolist() == [9.0, 29.0]
    assert told["pairs"].tolist() == [2, 2]
    assert told[column].nunique() == 2


@pytest.mark.parametrize(
    "change",
    [{"rounds": 3}, {"masker": "erk"}, {"scorer": "synflow"}, {"when": "trained"}, {"masker__scope": "global"}],
)
def test_what_concerns_the_mask_alone_shares_the_dense_network(change: dict[str, Any]) -> None:
    found = framed((made_cell(density=1.0), 90.0), (made_cell(), 80.0), (made_cell(**change), 70.0))
    assert found["drop"].tolist()[1:] == [10.0, 20.0]


def test_a_seed_without_dense_cell_or_without_accuracy_has_no_drop() -> None:
    dense = [(made_cell(density=1.0, seed=0), 90.0), (made_cell(density=1.0, seed=1), None)]
    pruned = [(made_cell(seed=seed), 80.0) for seed in (0, 1, 2)]
    found = framed(*dense, *pruned, (made_cell(seed=3), None), diverged=True)
    assert found["drop"].tolist()[2] == 10.0
    assert found["drop"].isna().sum() == 5
    row = aggregate(found).iloc[-1]
    assert (row["n"], row["seeds"], row["pairs"], row["drop"]) == (3, 4, 1, 10.0)


# the dense cell that others are compared with; of every experiment's: tests/test_experiments.py


def test_the_dense_description_keeps_trainers_devices_and_weights_and_no_treatment() -> None:
    description = made_cell("shuffle", initialisation="kaiming_uniform", rounds=3).description
    more = {"devices": 2, "trainer": {"name": "mine", "version": 1, "code": "abc"}, "weights": "f" * 16}
    dense = dense_of(description | more)
    assert dense == made_cell(density=1.0, initialisation="kaiming_uniform").description | more
    assert dense_of(dense) == dense


def test_cells_of_other_trainers_or_devices_are_rows_of_their_own_with_their_own_drops() -> None:
    made = []
    for more, accuracy in (({}, 90.0), ({"devices": 2}, 80.0), ({"trainer": {"name": "t", "version": 1}}, 70.0)):
        for density, less in ((1.0, 0.0), (0.1, 5.0)):
            cell = made_cell(density=density)
            made.append((Cell(cell.names, density, 0, "float32", cell.description | more, cell.short), accuracy - less))
    found = framed(*made)
    assert found.loc[found["asked_density"] < 1, "drop"].tolist() == [5.0] * 3
    assert set(found["options"]) == {"", "devices=2", "trainer=t"}
    assert len(aggregate(found)) == 6


# groups that no label tells apart


def test_two_states_of_one_data_set_are_rows_of_their_own() -> None:
    states = [{"name": "digits", "sha256": letter * 64} for letter in "ab"]
    made = [(made_cell(seed=seed, density=density), states[seed]) for seed in (0, 1) for density in (1.0, 0.1)]
    found = tidy(
        (record(cell, 90.0 - 20 * (cell.density < 1) - 5 * cell.seed, digest="d", data=data), cell.names)
        for cell, data in made
    )
    assert found["dataset"].tolist() == ["digits[data=aaaaaaaa]"] * 2 + ["digits[data=bbbbbbbb]"] * 2
    table = aggregate(found)
    assert table["n"].tolist() == [1] * 4
    assert table["drop"].dropna().tolist() == [20.0, 20.0]
    # a state that nobody has noted is one of its own beside several
    unknown = made_cell(seed=2)
    more = [*made, (unknown, None)]
    found = tidy((record(cell, 50.0, digest="d", data=data), cell.names) for cell, data in more)
    assert found["dataset"].iloc[-1] == "digits[data=unknown]"
    assert math.isnan(found["drop"].iloc[-1])
    # and nothing where there is one state alone
    alone = tidy((record(cell, 50.0, digest="d", data=data), cell.names) for cell, data in [*made[:2], (unknown, None)])
    assert set(alone["dataset"]) == {"digits"}
    assert aggregate(alone)["n"].tolist() == [1, 2]


def test_other_code_under_one_name_is_a_row_of_its_own_and_called_otherwise() -> None:
    made = []
    for code in ("aaaa", "bbbb"):
        cell = made_cell()
        description = cell.description | {"masker": {"name": "mine", "version": 1, "code": code}}
        made.append(Cell({**cell.names, "masker": "mine"}, 0.1, 0, "float32", description, "x"))
    found = framed(*made)
    assert found["masker"].tolist() == ["mine", "mine"]
    assert found["group"].nunique() == found["options"].nunique() == 2
    assert not aggregate(found).duplicated(SETTING).any()


def test_one_group_has_one_name_though_its_cells_were_asked_for_by_several() -> None:
    several = [
        made_cell(seed=0, masker="greedy_global"),
        made_cell(seed=1, masker="greedy", masker__scope="global"),
        made_cell(seed=2, scorer="iter_snip", masker="greedy_global"),
        made_cell(
            seed=3,
            scorer="snip",
            scorer__samples=128,
            scorer__fresh=True,
            rounds=60,
            round_counts="down",
            masker="greedy_global",
        ),
        made_cell(seed=4, recipe="laenen_cifar_5"),
        made_cell(seed=5, recipe="laenen_cifar", recipe__epochs=5, recipe__milestones=[3, 4]),
        made_cell(seed=6, recipe="laenen_cifar_5", recipe__epochs=7),
        made_cell(seed=7, recipe="laenen_cifar", recipe__epochs=7, recipe__milestones=[3, 4]),
    ]
    names = [
        framed(*order).drop_duplicates("group").set_index("group")[SETTING].sort_index()
        for order in (several, several[::-1])
    ]
    pd.testing.assert_frame_equal(names[0], names[1])
    assert len(names[0]) == 4
    assert set(names[0]["recipe"]) == {"digits", "laenen_cifar_5", "laenen_cifar_5[epochs=7]"}


# columns


def test_what_is_not_at_its_default_has_a_column_and_where_can_use_it() -> None:
    found = framed(
        made_cell(recipe__lr=0.1), made_cell("shuffle", masker="ramanujan", masker__p=5), made_cell(rounds=3)
    )
    assert found["recipe.lr"].tolist() == [0.1, 0.05, 0.05]
    assert found["masker.p"].tolist()[1] == 5
    assert found["masker.p"].isna().tolist() == [True, False, True]
    assert found["shuffle"].tolist()[1] is True
    assert found["rounds"].tolist()[2] == 3
    assert found["recipe.milestones"].tolist() == ["[6]"] * 3


def test_seconds_components_and_neurons_are_made_of_several_fields() -> None:
    found = framed(made_cell(), notes={"neurons": 40, "kept_neurons": 10})
    row = found.iloc[0]
    assert (row["pruning_seconds"], row["training_seconds"], row["components"], row["neurons"]) == (3.0, 10.0, 1, 0.25)
    assert row["chance"] == 10.0
    assert "neurons" not in framed(made_cell())


def test_a_papers_pruned_networks_are_paired_with_the_network_that_it_calls_unpruned_too() -> None:
    of: dict[str, Any] = {"dataset": "cifar10", "recipe": "ramanujan_30", "initialisation": "kaiming_uniform"}
    small, large = {**of, "model": "vgg16_2448"}, {**of, "model": "vgg16_base"}
    found = framed(
        *((made_cell(**small, seed=seed, masker="erk", density=0.029), 80.0 + seed) for seed in (0, 1)),
        (made_cell(**small, density=1.0), 83.0),
        (made_cell(**large, density=1.0), 84.0),
        (made_cell(**{**small, "initialisation": "kaiming_normal"}, masker="erk", density=0.029), 70.0),
        (made_cell(**small, model__hidden=1092, masker="erk", density=0.029), 60.0),
    )
    nan = math.nan
    assert found["drop"].tolist() == pytest.approx([3, nan, nan, nan, nan, nan], nan_ok=True)
    assert found["drop_unpruned"].tolist() == pytest.approx([4, nan, 1, nan, nan, nan], nan_ok=True)
    table = aggregate(found)
    row = table[
        (table["masker"] == "erk") & (table["model"] == "vgg16_2448") & table["options"].str.contains("uniform")
    ].iloc[0]
    assert (row["drop"], row["pairs"], row["drop_unpruned"], row["pairs_unpruned"], row["drops_unpruned"]) == (
        3,
        1,
        4,
        1,
        (4.0,),
    )
    assert any(note.startswith("Drop from unpruned: ") for note in notes(table, found))
    assert "drops_unpruned" in plain_csv(table).partition("\n")[0]


def test_where_no_network_is_another_ones_unpruned_one_nothing_is_said_of_it() -> None:
    found = framed(made_cell(density=1.0), made_cell())
    assert not {"drop_unpruned", "unpruned_group"} & {*found}
    assert "unpruned" not in plain_csv(aggregate(found))


def test_measurements_are_columns_by_their_place_in_the_record() -> None:
    assert flat("latency", {"cpu": {"1": 0.5, "64": None}}) == pytest.approx(
        {"latency/cpu/1": 0.5, "latency/cpu/64": math.nan}, nan_ok=True
    )
    found = framed(made_cell(), mine={"a": 1.0, "b": 2.0}, measurements=["mine"])
    assert found[["mine/a", "mine/b"]].iloc[0].tolist() == [1.0, 2.0]


def test_a_dense_network_has_no_imdb_of_pruned_layers_though_older_records_say_one() -> None:
    dense = made_cell(density=1.0)
    weights = {"kept": 1200, "prunable": 1200}
    older = record(dense, 90.0, digest="d", **weights)
    found = tidy([(older, dense.names), (record(made_cell(), 80.0, digest="d"), dense.names)])
    assert found["imdb"].isna().tolist() == [True, False]
    assert found["imdb_sum"].isna().tolist() == [True, False]
    assert found["imdb_norm"].tolist() == [0.1, 0.1]


def test_fields_that_older_records_lack_are_missing_and_not_a_fault() -> None:
    cell = made_cell()
    made = {name: value for name, value in record(cell, 50.0, digest="d").items() if name not in OF_LATER_VERSIONS}
    found = tidy([(made, cell.names), (record(made_cell(seed=1), 60.0, digest="d"), cell.names)])
    for name in OF_LATER_VERSIONS:
        assert found[name].isna().tolist() == [True, False]
    assert aggregate(found)["parameters"].tolist() == [1200.0]


def test_names_that_presets_elsewhere_have_are_theirs(tmp_path: Path) -> None:
    (tmp_path / "recipe").mkdir()
    text = (conf_dir() / "recipe" / "digits.yaml").read_text()
    (tmp_path / "recipe" / "quick.yaml").write_text(text.replace("digits", "quick").replace("epochs: 8", "epochs: 7"))
    cell = made_cell(recipe="quick", folder=tmp_path)
    (name,) = tidy([(record(cell, 50.0, digest="d"), cell.names)], Labels(Presets((tmp_path,))))["recipe"]
    assert name == "quick"
    (name,) = framed(cell)["recipe"]
    assert name.startswith("quick[")
    assert "epochs=7" in name


CELLS = [
    (made_cell(*treatments, seed=seed, density=density, masker=masker), 40.0 + 5 * seed + 30 * density + len(masker))
    for masker, treatments in (("sparsify", ()), ("greedy", ("shuffle",)), ("erk", ()))
    for density in (1.0, 0.1)
    for seed in (0, 1, 2)
]


@settings(PROPERTY, max_examples=5)
@given(st.permutations([one for k, one in enumerate(CELLS) if one[0].density < 1 or k < 3]))
def test_the_table_is_the_same_whatever_the_order_of_the_records(cells: list[tuple[Cell, float]]) -> None:
    ordered = [one for k, one in enumerate(CELLS) if one[0].density < 1 or k < 3]
    want, got = (aggregate(framed(*made)).set_index("group") for made in (ordered, cells))
    pd.testing.assert_frame_equal(got.loc[want.index], want)
