"""Published figures stand beside the very cells that they are of, in the grids of the experiments that claim them."""

import math
from collections.abc import Hashable
from typing import Any

import pandas as pd
import pytest

from pruneexp.reports.columns.accuracy import accuracy
from pruneexp.reports.columns.published import published as published_column
from pruneexp.reports.frame import tidy
from pruneexp.reports.notes import notes
from pruneexp.reports.presets import Presets
from pruneexp.reports.published import MASKS, ROW, published
from pruneexp.reports.table import aggregate
from pruneexp.sweep import expand
from pruneexp.system.shipped import conf_dir, published_dir
from tests.coverage import not_held
from tests.helpers import cells_of
from tests.reports.made_frames import cells
from tests.reports.made_records import framed, grid_of, made_cell, record

ON = [*MASKS, "recipe"]
STARRED = {"dataset": "tiny_imagenet32", "model": "resnet32", "scorer": "prospr", "masker": "greedy_global"}
STARRED_HERE = STARRED | {"scorer": "prospr_published"}
TOPOLOGY = [
    "topology_tables8_9", "topology_table10", "topology_table10_conv6", "topology_tables8_9_wrn", "topology_table10_wrn",
]  # fmt: skip
# what their public code calls by the same name as the text is another method here
CODED = {"snip": "snip_published", "grasp": "grasp_published", "prospr": "prospr_published", "er": "er_published"}
CLAIMING = (
    "laenen_table1_*", "ramanujan_*", "topology_*", "centrality_table_vgg", "centrality_table_linear", "vgg16_c100_sweep",
)  # fmt: skip
EXPERIMENTS = sorted(path.stem for name in CLAIMING for path in (conf_dir() / "experiment").glob(f"{name}.yaml"))
RECIPES = {path.stem for path in (conf_dir() / "recipe").glob("*.yaml")}


def of_topology() -> pd.DataFrame:
    return pd.read_csv(published_dir() / "topology_tables8_10.csv", keep_default_na=False).replace("", math.nan)


def as_coded(row: dict[Hashable, Any]) -> tuple[object, ...]:
    """What a published row of theirs is called in the settings of their public code."""
    recipe = "topology_tiny_conv6" if (row["recipe"], row["model"]) == ("topology_tiny", "conv6") else row["recipe"]
    scorer, masker = (CODED.get(row[name], row[name]) for name in ("scorer", "masker"))
    options = "biases=frozen" if row["density"] < 1 else ""
    return row["dataset"], row["model"], scorer, masker, options, row["density"], recipe


@pytest.fixture(scope="module")
def tables() -> pd.DataFrame:
    """The rows of the experiments that have published figures beside them, one seed of each."""
    return pd.concat([aggregate(framed(grid_of(name))).assign(name=name) for name in EXPERIMENTS], ignore_index=True)


@pytest.fixture(scope="module")
def topology(tables: pd.DataFrame) -> pd.DataFrame:
    return tables[tables["name"].isin(TOPOLOGY)].reset_index(drop=True)


# every published figure


def test_every_published_accuracy_of_a_recipe_of_conf_meets_one_row_of_each_grid_that_has_it(
    tables: pd.DataFrame,
) -> None:
    of_ours = published()[published()["recipe"].isin(RECIPES)]
    assert len(of_ours) >= 484
    met = tables[tables["source"].notna()]
    assert not met.duplicated([*ON, "name"]).any()
    found = met.drop_duplicates(ON).set_index(ON)[["published", "published_ci95", "source"]].sort_index()
    want = of_ours.set_index(ON)[["published", "published_ci95", "source"]].sort_index()
    pd.testing.assert_frame_equal(found, want.loc[want.index.isin(found.index)], check_dtype=False)
    assert found.index.isin(want.index).all()
    # no experiment has Cunegatti et al.'s text for Table 10 and Wide-ResNet, nor SynFlow in it with its authors' counts
    left = want[~want.index.isin(found.index)].reset_index()
    assert left["recipe"].str.startswith("topology_").all()
    assert left["options"].isin(["", "round_counts=nearest"]).all()
    cifar = left[left["recipe"] == "topology_cifar"]
    assert (cifar["scorer"].unique(), len(cifar)) == ("synflow", 2 * 3 * 5)
    assert left[left["scorer"] == "dense"][["model", "recipe"]].to_numpy().tolist() == [["conv6", "topology_tiny"]]
    assert len(left) == len(cifar) + 1 + (4 + 2) * 5 * (7 + 1)


def test_recipes_that_conf_lacks_meet_no_accuracy_and_their_normalised_imdb_stands_beside_the_masks(
    tables: pd.DataFrame,
) -> None:
    elsewhere = published()[~published()["recipe"].isin(RECIPES)]
    assert set(elsewhere["recipe"]) == {"hoang_250"}
    assert len(elsewhere) == 15
    masks = elsewhere[elsewhere["masker"] != "dense"]
    assert masks["published_imdb"].isna().all()
    assert masks["published_imdb_norm"].notna().all()
    claimed = tables[tables["published_elsewhere"] == "hoang_250"]
    assert claimed["published"].isna().all()
    assert claimed["source"].isna().all()
    imdb = elsewhere.set_index(MASKS)["published_imdb_norm"]
    assert len(claimed) == 13  # of the dense ones VGG-16's: ResNet-34's have the paper's own beside them
    for row in claimed.to_dict("records"):
        assert row["published_imdb_norm"] == pytest.approx(imdb[tuple(row[name] for name in MASKS)], nan_ok=True)
    assert any("hoang_250 (13 rows)" in note for note in notes(claimed, framed(grid_of("ramanujan_table6_vgg16"))))


def test_the_experiments_that_coverage_names_hold_the_rows_that_they_are_named_for(tables: pd.DataFrame) -> None:
    here = tables[tables["published_elsewhere"].isna()].dropna(subset=[ROW])
    assert not_held({str(name): set(rows[ROW]) for name, rows in here.groupby("name")}, RECIPES) == []


def test_labels_of_published_figures_are_those_that_our_rows_have(tables: pd.DataFrame) -> None:
    ours = {name: set(tables[name]) for name in ("dataset", "model", "masker", "options")}
    for name, labels in ours.items():
        assert set(published()[name]) <= labels


def test_no_network_and_mask_has_figures_of_the_masks_under_two_recipes() -> None:
    of_masks = published().dropna(
        subset=["published_imdb", "published_imdb_norm", "published_pruning_seconds"], how="all"
    )
    others = published().merge(of_masks[MASKS].drop_duplicates(), on=MASKS)
    assert not others.duplicated(MASKS).any()


# "Deterministic Ramanujan graphs", Tables 5 and 6, as printed: accuracies of the unpruned and the pruned network

TABLE5 = {
    "cifar10": {
        "vgg13": (83, 81),
        "vgg16": (84, 82),
        "vgg19": (85, 83),
        "alexnet": (81, 77),
        "resnet18": (83, 82),
        "resnet34": (83, 84),
    },
    "cifar100": {"resnet18": (56, 54), "resnet34": (57, 56)},
}
# of Hoang et al.'s unpruned network, and of methods accuracy and IMDB
TABLE6 = {
    ("cifar10", "vgg16"): (
        94,
        {"random": (83, -0.116971), "erk": (90, 0.128288), "snip": (92, 0.163364), "synflow": (92, 0.347729)},
    ),
    ("cifar10", "resnet34"): (
        89,
        {"random": (81, -0.018530), "erk": (86, 0.181492), "snip": (87, 0.297726), "grasp": (86, 0.188965)},
    ),
    ("cifar100", "resnet34"): (
        62,
        {"random": (52, -0.018530), "erk": (59, 0.101492), "snip": (60, 0.297726), "grasp": (59, 0.188965)},
    ),
}


@pytest.mark.parametrize("dataset", TABLE5)
def test_every_row_of_table_5_is_there_with_its_unpruned_network(dataset: str) -> None:
    rows = published()[(published()["recipe"] == "ramanujan_30") & (published()["dataset"] == dataset)]
    dense, pruned = (
        rows[rows["masker"] == "dense"],
        rows[rows["masker"].str.fullmatch(r"ramanujan(\[least_channels=256\])?")],
    )
    for network, (before, after) in TABLE5[dataset].items():
        own = network if network.startswith("resnet") else f"{network}_2448"
        unpruned = Presets().unpruned(own) or own
        assert unpruned == (network if own == network or network == "alexnet" else f"{network}_base")
        assert dense[dense["model"] == unpruned]["published"].tolist() == [before]
        assert pruned[pruned["model"] == own]["published"].tolist() == [after]
    assert len(pruned) == len(TABLE5[dataset])


@pytest.mark.parametrize(("dataset", "model"), TABLE6)
def test_every_row_of_table_6_is_there_the_others_figures_normalised_and_the_misprint_named(
    dataset: str, model: str
) -> None:
    unpruned, methods = TABLE6[dataset, model]
    theirs = published()[published()["recipe"] == "hoang_250"].set_index(["dataset", "model"]).loc[[(dataset, model)]]
    method = theirs["scorer"].where(theirs["scorer"] != "none", theirs["masker"])
    found = dict(zip(method, zip(theirs["published"], theirs["published_imdb_norm"], strict=True), strict=True))
    assert found.pop("dense")[0] == unpruned
    assert found == methods
    remarks = theirs.set_index(method)["remark"].dropna()
    assert list(remarks.index) == (["erk"] if model == "resnet34" else [])
    assert remarks.str.contains("misprint").all()
    own = published()[published()["published_imdb"].notna()].set_index(["dataset", "model"])["published_imdb"]
    assert own[dataset, "resnet34" if model == "resnet34" else "vgg16_2448"] == (
        3.098840 if model == "resnet34" else 3.463054
    )


def test_table_5s_networks_of_2448_neurons_are_paired_with_the_unpruned_ones_of_its_other_experiment() -> None:
    grids = map(grid_of, ("ramanujan_table5_vgg", "ramanujan_table5_alexnet", "ramanujan_table5_unpruned"))
    made = [cell for grid in grids for _, cell in cells_of(grid).values()]
    accuracies = [80.0 if cell.names["model"].endswith("_2448") else 84.0 for cell in made]
    table = aggregate(
        tidy((record(cell, own, digest="d"), cell.names) for cell, own in zip(made, accuracies, strict=True))
    )
    own = table["model"].str.endswith("_2448")
    assert (own.sum(), (~own).sum()) == (8, 4)
    assert table.loc[own, "drop_unpruned"].eq(4).all()
    assert table.loc[own & (table["masker"] != "dense"), "drop"].eq(0).all()
    assert table.loc[~own, "drop_unpruned"].isna().all()
    assert table.loc[~own, "published"].tolist() == [81, 83, 84, 85]


def test_the_note_beside_imdbs_says_what_their_units_do_to_the_papers_claim(tables: pd.DataFrame) -> None:
    for name in ("ramanujan_table5_vgg", "ramanujan_table6_vgg16", "ramanujan_table6_resnet34"):
        table = tables[tables["name"] == name]
        (told,) = (note for note in notes(table, framed(grid_of(name))) if note.startswith("IMDB: "))
        assert "difference of units" in told
    plain = tables[tables["name"] == "ramanujan_table4"]
    assert not any(note.startswith("IMDB: ") for note in notes(plain, framed(grid_of("ramanujan_table4"))))


# only beside the very recipe, options and mask


@pytest.mark.parametrize(
    "change",
    [
        {"recipe": "laenen_cifar[epochs=1]"},
        {"recipe": "laenen_cifar_5"},
        {"recipe": "smoke"},
        {"recipe": "my_laenen_cifar"},
        {"options": ""},
        {"options": "initialisation=kaiming_uniform, batchnorm_init=uniform"},
        {"options": "shuffle"},
        {"masker": "sparsify[sampling=paper]"},
        {"masker": "sparsify_tree"},
        {"scorer": "snip"},
        {"dataset": "cifar100[data=aaaaaaaa]"},
        {"asked_density": 0.0100001},
    ],
)
def test_whatever_differs_from_what_is_published_has_no_accuracy_beside_it(change: dict[str, object]) -> None:
    same: dict[str, list[object]] = {"seed": [0], "options": ["batchnorm_init=uniform"]}
    assert aggregate(cells(**same)).iloc[0]["published"] == 59.81
    found = cells(**same | {name: [value] for name, value in change.items()})
    row = aggregate(found).iloc[0]
    assert row[["published", "published_ci95", "source"]].isna().all()
    told = [note for note in notes(aggregate(found), found) if "of another recipe" in note]
    if "recipe" in change:
        assert row["published_elsewhere"] == "laenen_cifar"
        assert told == [
            "Published accuracies of these networks and masks are of another recipe and do not stand here: laenen_cifar (1 row)."
        ]
    else:
        assert told == []


def test_a_changed_recipe_is_not_the_published_one() -> None:
    cell = made_cell(dataset="cifar100", model="vgg16", recipe="laenen_cifar", density=0.01)
    assert cell.names["recipe"] == "laenen_cifar"
    changed = expand(
        ["+experiment=vgg16_c100_sweep", "seed=0", "masker=sparsify", "densities=[0.01]", "recipe.shift=0"]
    )
    table = aggregate(framed(changed))
    assert table["recipe"].tolist() == ["laenen_cifar[shift=0]"]
    assert table["published"].isna().all()
    whole = aggregate(framed(grid_of("vgg16_c100_sweep")))
    assert whole["published"].dropna().tolist() == [59.81]


def test_settings_that_two_papers_share_do_not_double_rows() -> None:
    # CIFAR-10 on ResNet-20, dense: both Laenen's and Cunegatti's networks
    recipes: list[object] = ["laenen_cifar", "topology_cifar", "ramanujan_30", "smoke"]
    table = aggregate(
        cells(
            recipe=recipes, dataset=["cifar10"] * 4, model=["resnet20"] * 4, scorer=["dense"] * 4,
            masker=["dense"] * 4, asked_density=[1.0] * 4,
        )
    )  # fmt: skip
    assert len(table) == 4
    sources = dict(zip(table["recipe"], table["source"].fillna(""), strict=True))
    assert "Cunegatti" in sources["topology_cifar"]
    assert all("Cunegatti" not in sources[str(other)] for other in recipes if other != "topology_cifar")


# Cunegatti et al., Tables 8 to 10


def test_every_published_row_of_tables_8_to_10_stands_beside_one_cell(topology: pd.DataFrame) -> None:
    rows = of_topology()
    assert len(rows) == 432
    found = {tuple(row[name] for name in ON): row for row in topology.to_dict("records")}
    assert len(found) == len(topology) == 432  # the grids have no other cells either
    for row in rows.to_dict("records"):
        met = found[as_coded(row)]
        assert met["source"] == row["source"]
        for ours, theirs in (("published", "accuracy"), ("published_ci95", "ci95")):
            assert met[ours] == pytest.approx(float(row[theirs]), nan_ok=True)
    assert topology["source"].notna().all()
    assert topology["n"].eq(1).all()


def test_the_texts_methods_have_the_same_figures_beside_them(tables: pd.DataFrame) -> None:
    table = tables[tables["name"] == "topology_tables8_9_text"]
    rows = of_topology().query("recipe == 'topology_cifar'")
    assert len(table) == len(rows) == 2 * 3 * (1 + 5 * 7)
    found = {tuple(row[name] for name in ON): row for row in table.to_dict("records")}
    for row in rows.to_dict("records"):
        options = "round_counts=nearest" if row["scorer"] == "synflow" else ""
        met = found[(*(row[name] for name in MASKS[:4]), options, row["density"], row["recipe"])]
        assert met["source"] == row["source"]
        assert met["published"] == pytest.approx(float(row["accuracy"]), nan_ok=True)


def test_tables_8_9_and_10_are_cifar10_cifar100_and_tiny_imagenet(topology: pd.DataFrame) -> None:
    number = {"cifar10": 8, "cifar100": 9, "tiny_imagenet32": 10}
    assert of_topology()["dataset"].value_counts().to_dict() == dict.fromkeys(number, 144)
    for _, row in topology.iterrows():
        assert f"Table {number[row['dataset']]}" in row["source"]
    recipes = topology.groupby("name")["recipe"].unique().apply(list).to_dict()
    assert recipes == {
        "topology_tables8_9": ["topology_cifar"],
        "topology_tables8_9_wrn": ["topology_cifar_wrn"],
        "topology_table10": ["topology_tiny"],
        "topology_table10_conv6": ["topology_tiny_conv6"],
        "topology_table10_wrn": ["topology_tiny_wrn"],
    }


def test_the_papers_intervals_are_students_of_three_seeds() -> None:
    rows = of_topology()
    deviations = rows["source"].str.extract(r", std ([\d.]+)$")[0].astype(float)
    pruned = rows["density"] < 1
    known = deviations.notna()
    assert known[pruned].sum() >= 359
    # t(0.975, 2) / sqrt(3)
    half, mean = (rows[name].astype(float) for name in ("ci95", "accuracy"))
    assert ((half - 4.30265273 / 3**0.5 * deviations)[known].abs() <= 0.0051).all()
    assert mean[known].between(1, 100).all()


def test_one_cell_is_below_chance_in_the_paper_and_shown_as_a_star(topology: pd.DataFrame) -> None:
    without = of_topology()[of_topology()["accuracy"].isna()]
    assert len(without) == 1
    assert without.iloc[0][list(STARRED)].to_dict() == STARRED
    assert without.iloc[0]["density"] == 0.02
    assert "below chance" in without.iloc[0]["source"]
    shown, starred = published_column(topology), published_column(topology) == "*"
    assert starred.sum() == 1
    assert topology[starred].iloc[0][list(STARRED)].to_dict() == STARRED_HERE
    assert not shown[~starred].str.contains("*", regex=False).any()
    assert not accuracy(topology).str.contains("*", regex=False).any()  # ours are at 80
    frame = framed(grid_of("topology_table10"))
    assert "* not above chance." in notes(topology, frame)
    assert not any("above chance" in note for note in notes(topology[~starred], frame))


# what the papers lack


@pytest.mark.parametrize("name", ["topology_spectral", "topology_spectral_wrn"])
def test_what_the_paper_lacks_has_only_its_dense_networks_beside_it(name: str, tables: pd.DataFrame) -> None:
    table = tables[tables["name"] == name]
    known = table["source"].notna()
    assert (known == (table["masker"] == "dense")).all()
    assert known.sum() == (2 if name == "topology_spectral" else 1)


def test_the_controls_have_the_papers_figure_beside_the_plain_masks(tables: pd.DataFrame) -> None:
    table = tables[tables["name"] == "topology_controls"]
    assert len(table) == 1 + 2 * 8
    assert table["masker"].isin(["dense", "greedy_global"]).all()
    plain = (table["masker"] == "greedy_global") & (table["options"] == "")
    assert plain.sum() == 2
    assert table[plain].sort_values("asked_density")["published"].tolist() == [83.2, 87.0]
    assert table.loc[~plain & (table["masker"] != "dense"), "published"].isna().all()


def test_chance_is_one_class_in_the_data_sets(tables: pd.DataFrame) -> None:
    chance = tables.drop_duplicates("dataset").set_index("dataset")["chance"].to_dict()
    classes = {"cifar10": 10, "cifar100": 100, "tiny_imagenet32": 200, "flowers102": 102}
    assert {name: chance[name] for name in classes} == {name: 100 / count for name, count in classes.items()}
