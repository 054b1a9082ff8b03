"""Published figures stand beside cells of their own paper's recipes, and accuracies no better than guessing are marked."""

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from omegaconf import OmegaConf

from pruneexp.cell import Cell
from pruneexp.jobs.job import Job
from pruneexp.reports.frame import collect
from pruneexp.reports.readable import footnote, readable
from pruneexp.reports.report import write_report
from pruneexp.reports.table import aggregate
from pruneexp.sweep import Grid, expand
from pruneexp.system.shipped import conf_dir, published_dir
from tests.reports.made_records import fill, record
from tests.reports.test_table import cells

ON = ["dataset", "model", "scorer", "masker", "density"]
FAMILIES = ("laenen", "ramanujan", "topology", "finetune")
STARRED = {"dataset": "tiny_imagenet32", "model": "resnet32", "scorer": "prospr", "masker": "greedy_global"}
EXPERIMENTS = ["topology_tables8_9", "topology_table10", "topology_tables8_9_wrn", "topology_table10_wrn"]
# half of the sweep: what a masker without scores makes of the four scorers is one cell
WEIGHT_FREE, SCORED = ["masker=uniform,er,erk", "scorer=snip"], ["masker=greedy_global"]


def published() -> pd.DataFrame:
    return pd.read_csv(published_dir() / "topology_tables8_10.csv", comment="#")


def everything_published() -> pd.DataFrame:
    """All accuracies; other files of the folder hold no cells."""
    files = [pd.read_csv(path, comment="#") for path in sorted(published_dir().glob("*.csv"))]
    return pd.concat([file for file in files if {*ON, "recipe", "accuracy"} <= set(file.columns)])


def made(folder: Path, arguments: Iterable[str]) -> pd.DataFrame:
    """The table of a grid with a made-up record for every cell."""
    return reported(folder, expand([f"results_dir={folder}", "seed=0", *arguments]))


def reported(folder: Path, grid: Grid) -> pd.DataFrame:
    fill(grid, folder, lambda cell: record(cell, 80.0))
    return aggregate(collect(grid)[0])


def of_all_models(folder: Path, name: str) -> Grid:
    """An experiment's grid, of which one model is composed and the others are put in its place, for time."""
    node = OmegaConf.load(conf_dir() / "experiment" / f"{name}.yaml")
    models = str(OmegaConf.select(node, "hydra.sweeper.params.model")).split(",")
    jobs = []
    for sweep in (WEIGHT_FREE, SCORED):
        grid = expand([f"results_dir={folder}", "seed=0", f"+experiment={name}", f"model={models[0]}", *sweep])
        for model, job in itertools.product(models, grid.jobs):
            config = job.config | {
                "model": OmegaConf.to_container(OmegaConf.load(conf_dir() / "model" / f"{model}.yaml"))
            }
            assert model != models[0] or config == job.config
            jobs.append(Job.of(config))
    return Grid(jobs, [])


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """All four experiments' rows."""
    found = []
    for name in EXPERIMENTS:
        folder = tmp_path_factory.mktemp(name)
        found.append(reported(folder, of_all_models(folder, name)).assign(name=name))
    return pd.concat(found)


def test_an_experiments_whole_sweep_has_the_same_table(tmp_path: Path, tables: pd.DataFrame) -> None:
    whole = made(tmp_path, ["+experiment=topology_table10_wrn"])
    part = tables[tables["name"] == "topology_table10_wrn"].drop(columns="name")
    order = ["masker", "scorer", "asked_density"]
    pd.testing.assert_frame_equal(
        whole.sort_values(order, ignore_index=True), part.sort_values(order, ignore_index=True)
    )


def test_every_published_row_of_tables_8_to_10_stands_beside_one_cell(tables: pd.DataFrame) -> None:
    rows = published()
    assert len(rows) == 432
    assert not rows.duplicated(ON).any()
    found = {(*row[ON[:-1]], row["asked_density"]): row for _, row in tables.iterrows()}
    assert len(found) == len(tables) == 432  # the grids have no other cells either
    for _, row in rows.iterrows():
        met = found[(*row[ON[:-1]], row["density"])]
        assert met["source"] == row["source"]
        for ours, theirs in (("published", "accuracy"), ("published_ci95", "ci95")):
            assert met[ours] == pytest.approx(row[theirs], nan_ok=True)
    assert tables["source"].notna().all()
    assert tables["n"].eq(1).all()


def test_tables_8_9_and_10_are_cifar10_cifar100_and_tiny_imagenet(tables: pd.DataFrame) -> None:
    number = {"cifar10": 8, "cifar100": 9, "tiny_imagenet32": 10}
    assert published()["dataset"].value_counts().to_dict() == dict.fromkeys(number, 144)
    for _, row in tables.iterrows():
        assert f"Table {number[row['dataset']]}" in row["source"]
    recipes = tables.groupby("name")["recipe"].unique().apply(list).to_dict()
    assert recipes == {
        "topology_tables8_9": ["topology_cifar"],
        "topology_tables8_9_wrn": ["topology_cifar_wrn"],
        "topology_table10": ["topology_tiny"],
        "topology_table10_wrn": ["topology_tiny_wrn"],
    }


def test_the_papers_intervals_are_students_of_three_seeds() -> None:
    rows = published()
    deviations = rows["source"].str.extract(r", std ([\d.]+)$")[0].astype(float)
    pruned = rows["density"] < 1
    known = deviations.notna()
    assert known[pruned].sum() >= 359
    # t(0.975, 2) / sqrt(3)
    assert ((rows["ci95"] - 4.30265273 / 3**0.5 * deviations)[known].abs() <= 0.0051).all()
    assert rows["accuracy"][known].between(1, 100).all()


def test_one_cell_is_below_chance_in_the_paper_and_shown_as_a_star(tables: pd.DataFrame) -> None:
    without = published()[published()["accuracy"].isna()]
    assert len(without) == 1
    assert without.iloc[0][list(STARRED)].to_dict() == STARRED
    assert without.iloc[0]["density"] == 0.02
    assert "below chance" in without.iloc[0]["source"]
    shown = readable(tables).reset_index(drop=True)
    starred = shown["published"] == "*"
    assert starred.sum() == 1
    assert tables.reset_index(drop=True)[starred].iloc[0][list(STARRED)].to_dict() == STARRED
    assert not shown["published"][~starred].str.contains("*", regex=False).any()
    assert not shown["accuracy"].str.contains("*", regex=False).any()  # ours are at 80
    assert "* no better than guessing." in footnote(tables)
    assert "guessing" not in footnote(tables[~starred.to_numpy()])


def test_a_papers_figures_join_only_recipes_of_its_family() -> None:
    assert set(everything_published()["recipe"]) == set(FAMILIES)
    for _, row in everything_published().groupby("recipe").head(3).iterrows():
        setting = {name: [row[name]] for name in ("dataset", "model", "scorer", "masker")}
        for recipe in (*FAMILIES, *(f"{family}_any[lr=0.1]" for family in FAMILIES), "smoke", f"my_{row['recipe']}"):
            table = aggregate(cells(asked_density=[row["density"]], recipe=[recipe], accuracy=[50.0], **setting))
            assert len(table) == 1
            met = table.iloc[0]
            if recipe.startswith(row["recipe"]):
                assert met["published"] == row["accuracy"]
                assert met["source"] == row["source"]
            else:
                assert pd.isna(met["published"])
                assert pd.isna(met["source"])


def test_recipes_of_the_repository_belong_to_at_most_one_family() -> None:
    names = sorted(path.stem for path in (conf_dir() / "recipe").glob("*.yaml"))
    families = {name: [family for family in FAMILIES if name.startswith(family)] for name in names}
    assert max(map(len, families.values())) == 1
    assert {family for found in families.values() for family in found} == set(FAMILIES)
    for name, found in families.items():
        assert found == [family for family in FAMILIES if name.split("_")[0] == family]


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


@pytest.mark.parametrize("name", ["topology_spectral", "topology_spectral_wrn"])
def test_what_the_paper_lacks_has_only_its_dense_networks_beside_it(name: str, tmp_path: Path) -> None:
    table = made(tmp_path, [f"+experiment={name}"])
    known = table["source"].notna()
    assert (known == (table["masker"] == "dense")).all()
    assert known.sum() == (2 if name == "topology_spectral" else 1)


def test_the_controls_have_the_papers_figure_beside_the_plain_masks(tmp_path: Path) -> None:
    table = made(tmp_path, ["+experiment=topology_controls"])
    assert len(table) == 1 + 2 * 8
    plain = table["masker"].isin(["greedy_global", "greedy_global[invert=False,shuffle=False,reinit=False]"])
    assert plain.sum() == 2
    assert table[plain].sort_values("asked_density")["published"].tolist() == [83.2, 87.0]


# accuracies at or below chance


def starred(**columns: list[object]) -> list[str]:
    table = aggregate(cells(**columns))
    return [str(text) for text in readable(table)["accuracy"]]


@pytest.mark.parametrize(("classes", "chance"), [(10, 10.0), (100, 1.0), (200, 0.5)])
def test_an_accuracy_at_or_below_chance_has_a_star(classes: int, chance: float) -> None:
    guesses: list[object] = [chance]
    assert starred(accuracy=[chance], chance=guesses) == [f"{chance:.2f}*"]
    assert starred(accuracy=[0.9 * chance], chance=guesses) == [f"{0.9 * chance:.2f}*"]
    assert starred(accuracy=[1.05 * chance], chance=guesses) == [f"{1.05 * chance:.2f}"]
    low = aggregate(cells(accuracy=[chance], chance=guesses))
    assert "* no better than guessing." in footnote(low)
    assert "guessing" not in footnote(aggregate(cells(accuracy=[1.05 * chance], chance=guesses)))


def test_the_mean_over_seeds_decides_and_stands_before_the_diverged() -> None:
    (text,) = starred(accuracy=[9.0, 10.0, 12.5], chance=[10.0] * 3)
    assert text.startswith("10.50 ± ")
    assert "*" not in text
    (text,) = starred(accuracy=[9.0, 10.0, 10.5], chance=[10.0] * 3, diverged=[True, False, False])
    assert text.startswith("9.83 ± ")
    assert text.endswith("* (1 diverged)")


def test_seeds_that_all_diverged_are_no_accuracy_and_have_no_star() -> None:
    assert starred(accuracy=[float("nan")], diverged=[True]) == [" (1 diverged)"]


def test_chance_is_one_class_in_the_data_sets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def make(cell: Cell) -> dict[str, Any]:
        return record(cell, {1.0: 50.0, 0.1: 10.0, 0.02: 10.5}[cell.density])

    grid = expand([f"results_dir={tmp_path}", "seed=0", "masker=greedy", "densities=[1.0,0.1,0.02]"])
    fill(grid, tmp_path, make)
    found, _ = collect(grid)
    assert found["chance"].tolist() == [10.0] * 3
    write_report(grid, "command")
    out = capsys.readouterr().out
    assert "10.00*" in out
    assert "* no better than guessing." in out
    text = (tmp_path / "reports" / "tables" / "quickstart-digits.md").read_text()
    assert text.count("10.00*") == 1
    assert "10.50*" not in text
    assert text.rstrip().endswith("* no better than guessing.")
    for name, classes in (("cifar100", 100), ("tiny_imagenet32", 200)):
        table = made(tmp_path / name, [f"dataset={name}", "masker=greedy", "densities=[0.1]"])
        assert table["chance"].tolist() == [100 / classes]
