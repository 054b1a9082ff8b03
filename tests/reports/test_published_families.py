"""Published figures stand beside the very cells that they are of, in the grids of the experiments that claim them."""

import math

import pandas as pd
import pytest

from pruneexp.reports.columns.accuracy import accuracy
from pruneexp.reports.columns.published import published as published_column
from pruneexp.reports.notes import notes
from pruneexp.reports.published import MASKS, published
from pruneexp.reports.table import aggregate
from pruneexp.sweep import expand
from pruneexp.system.shipped import conf_dir, published_dir
from tests.reports.made_frames import cells
from tests.reports.made_records import framed, grid_of, made_cell

ON = [*MASKS, "recipe"]
STARRED = {"dataset": "tiny_imagenet32", "model": "resnet32", "scorer": "prospr", "masker": "greedy_global"}
TOPOLOGY = ["topology_tables8_9", "topology_table10", "topology_tables8_9_wrn", "topology_table10_wrn"]
CLAIMING = ("laenen_table1_*", "ramanujan_*", "topology_*", "centrality_table_vgg", "vgg16_c100_sweep")
EXPERIMENTS = sorted(path.stem for name in CLAIMING for path in (conf_dir() / "experiment").glob(f"{name}.yaml"))
RECIPES = {path.stem for path in (conf_dir() / "recipe").glob("*.yaml")}


def of_topology() -> pd.DataFrame:
    return pd.read_csv(published_dir() / "topology_tables8_10.csv", keep_default_na=False).replace("", math.nan)


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
    assert set(met[ON].itertuples(index=False, name=None)) == set(of_ours[ON].itertuples(index=False, name=None))
    found = met.drop_duplicates(ON).set_index(ON)[["published", "published_ci95", "source"]].sort_index()
    want = of_ours.set_index(ON)[["published", "published_ci95", "source"]].sort_index()
    pd.testing.assert_frame_equal(found, want, check_dtype=False)


def test_recipes_that_conf_lacks_meet_no_accuracy_and_their_imdb_stands_beside_the_masks(tables: pd.DataFrame) -> None:
    elsewhere = published()[~published()["recipe"].isin(RECIPES)]
    assert set(elsewhere["recipe"]) == {"hoang_250"}
    assert len(elsewhere) == 12
    claimed = tables[tables["published_elsewhere"] == "hoang_250"]
    assert claimed["published"].isna().all()
    assert claimed["source"].isna().all()
    imdb = elsewhere.set_index(MASKS)["published_imdb"]
    assert len(claimed) == 10  # GraSP is in no experiment
    for row in claimed.to_dict("records"):
        assert row["published_imdb"] == imdb[tuple(row[name] for name in MASKS)]
    assert any("hoang_250 (10 rows)" in note for note in notes(claimed, framed(grid_of("ramanujan_table6_vgg16"))))


def test_labels_of_published_figures_are_those_that_our_rows_have(tables: pd.DataFrame) -> None:
    ours = {name: set(tables[name]) for name in ("dataset", "model", "masker", "options")}
    for name, labels in ours.items():
        assert set(published()[name]) <= labels


def test_no_network_and_mask_has_figures_of_the_masks_under_two_recipes() -> None:
    of_masks = published().dropna(subset=["published_imdb", "published_pruning_seconds"], how="all")
    others = published().merge(of_masks[MASKS].drop_duplicates(), on=MASKS)
    assert not others.duplicated(MASKS).any()


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
        met = found[(*(row[name] for name in MASKS[:4]), "", row["density"], row["recipe"])]
        assert met["source"] == row["source"]
        for ours, theirs in (("published", "accuracy"), ("published_ci95", "ci95")):
            assert met[ours] == pytest.approx(float(row[theirs]), nan_ok=True)
    assert topology["source"].notna().all()
    assert topology["n"].eq(1).all()


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
    assert topology[starred].iloc[0][list(STARRED)].to_dict() == STARRED
    assert not shown[~starred].str.contains("*", regex=False).any()
    assert not accuracy(topology).str.contains("*", regex=False).any()  # ours are at 80
    frame = framed(grid_of("topology_table10"))
    assert "* no better than guessing." in notes(topology, frame)
    assert not any("guessing" in note for note in notes(topology[~starred], frame))


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
