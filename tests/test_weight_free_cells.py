"""Cells of maskers that look at no score: what they are called, what they cost, and how reports name them."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

import pruneexp
from pruneexp.cell import Cell
from pruneexp.components.component import Component, configured
from pruneexp.errors import UserError
from pruneexp.jobs.job import Job
from pruneexp.network.masks import load_masks
from pruneexp.network.prunable import prunable
from pruneexp.pruning.masking import mask
from pruneexp.reports.frame import frame_of
from pruneexp.reports.report import write_report
from pruneexp.reports.table import aggregate
from pruneexp.sweep import Grid, expand, named, precision_there
from pruneexp.system.shipped import conf_dir, published_dir
from tests.command import SMALL, TABLES, in_process
from tests.helpers import cells_of, target_of
from tests.reports.made_records import fill, framed, grid_of, record

MASKERS = sorted(path.stem for path in (conf_dir() / "masker").glob("*.yaml"))
SCORERS = sorted(path.stem for path in (conf_dir() / "scorer").glob("*.yaml"))
WEIGHT_FREE = [
    "er", "er_published", "erk", "radix_net", "ramanujan", "ramanujan_fit", "random_regular", "uniform", "x_net",
]  # fmt: skip
ONE = ("seed=0", "densities=[0.1]")


def only(*arguments: str) -> tuple[Job, Cell]:
    """The one cell that a command line asks for."""
    ((job, cell),) = cells_of(expand([*ONE, *arguments])).values()
    return job, cell


def of_file(masker: str) -> Component:
    return configured("masker", OmegaConf.to_container(OmegaConf.load(conf_dir() / "masker" / f"{masker}.yaml")))


def test_the_maskers_that_need_no_scores_say_so_where_they_are_declared() -> None:
    assert {name for name in MASKERS if not of_file(name).about.needs_scores} >= set(WEIGHT_FREE)
    assert all(of_file(name).about.needs_scores for name in ("bss", "greedy", "sparsify", "structured"))


@pytest.fixture(scope="module")
def of_scorers() -> dict[str, list[Cell]]:
    """The cells of each of these maskers with every scorer."""
    jobs = expand([*ONE, f"masker={','.join(WEIGHT_FREE)}", f"scorer={','.join(SCORERS)}"]).jobs
    assert len(jobs) == len(WEIGHT_FREE) * len(SCORERS)
    cells = iter(job.cell(0.1, precision_there(job)) for job in jobs)
    return {masker: [next(cells) for _ in SCORERS] for masker in WEIGHT_FREE}


@pytest.mark.parametrize("masker", WEIGHT_FREE)
def test_a_cell_is_the_same_whatever_the_scorer(masker: str, of_scorers: dict[str, list[Cell]]) -> None:
    cells = of_scorers[masker]
    assert "synflow" in SCORERS  # which sets rounds=100
    for cell in cells:
        assert cell.names["scorer"] == cell.description["scorer"] == "none"
        assert cell.key == cells[0].key
        assert cell.names["masker"] == masker
        assert cell.key.startswith(f"digits-vgg_small-none-{of_file(masker).about.name}-d0.1-s0-")
        assert not {"rounds", "round_masker", "round_counts", "needs_scores"} & cell.description.keys()
        assert {"name", "version"} <= cell.description["masker"].keys() <= {"name", "version", "options"}
        assert "needs_scores" not in json.dumps(cell.description)


@pytest.mark.parametrize(
    "options", [["rounds=10"], ["round_masker=greedy"], ["rounds=10", "round_masker=greedy", "round_counts=up"]]
)
def test_rounds_are_no_part_of_a_cell_without_scores(options: list[str]) -> None:
    job, cell = only("masker=erk", *options)
    assert cell == only("masker=erk")[1]
    assert job.setting.rounds == 1
    assert only("masker=greedy", "rounds=10")[0].setting.rounds == 10


def test_maskers_and_their_options_still_set_cells_apart() -> None:
    keys = {only(f"masker={masker}")[1].key for masker in WEIGHT_FREE}
    keys |= {
        only("masker=erk", change)[1].key for change in ("seed=1", "densities=[0.2]", "recipe.lr=0.01", "reinit=true")
    }
    keys |= {only("masker=ramanujan", f"masker.p={p}")[1].key for p in (5, 109)}
    keys.add(only("masker=ramanujan_fit", "masker.allocation=er")[1].key)
    assert len(keys) == len(WEIGHT_FREE) + 4 + 2 + 1
    # neither masks nor initial weights come from the trained network
    assert only("masker=erk", "when=trained")[1].key == only("masker=erk")[1].key
    # er and erk are one function with another allocation
    assert only("masker=er", "masker.allocation=erk")[1].description == only("masker=erk")[1].description


def test_a_sweep_over_scorers_is_one_cell_for_each_masker_without_scores() -> None:
    grid = expand(["seed=0", "densities=[1.0,0.1]", "scorer=magnitude,random,snip,synflow", "masker=erk,x_net,greedy"])
    assert len(grid.jobs) == 12
    named = sorted((cell.names["scorer"], cell.names["masker"], cell.density) for _, cell in cells_of(grid).values())
    assert named == sorted(
        [("dense", "dense", 1.0), ("none", "erk", 0.1), ("none", "x_net", 0.1)]
        + [(scorer, "greedy", 0.1) for scorer in ("magnitude", "random", "snip", "synflow")]
    )


def test_the_keys_of_cells_with_scores_know_nothing_of_it() -> None:
    _, cell = only("masker=greedy")
    assert cell.names["scorer"] == "magnitude"
    assert cell.description["scorer"] == {"name": "magnitude", "version": 1}
    assert "needs_scores" not in json.dumps(cell.description)


@pytest.mark.parametrize("masker", WEIGHT_FREE)
def test_repair_by_scores_is_refused_where_there_are_none(masker: str) -> None:
    sentence = rf"^treatment=repair goes by scores, and masker={masker} has none\.$"
    with pytest.raises(UserError, match=sentence):
        expand([*ONE, f"masker={masker}", "repair=paths"])
    with pytest.raises(UserError, match=sentence):
        expand([*ONE, f"masker={masker}", "scorer=synflow", "repair=paths"])


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("masker.allocation=kernel", r"allocation must be uniform, er, erk, vertices or er_published, got 'kernel'\.$"),
        ("+masker.alocation=er", "alocation"),
    ],
)
def test_an_option_that_no_such_masker_takes_is_refused(option: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        only("masker=erk", option)[0].setting.make("masker")


# a run


def no_scores(*arguments: Any) -> None:
    pytest.fail("a scorer was asked")


def test_a_run_asks_no_scorer_and_leaves_one_record_that_says_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pruneexp.pruning.scoring.score", no_scores)
    monkeypatch.setattr("pruneexp.pruning.prune.in_rounds", no_scores)
    sweep = (*SMALL, *ONE, "masker=erk", "scorer=snip,synflow")
    outcome = in_process(tmp_path, monkeypatch, capsys, *sweep)
    assert outcome.code == 0, outcome.err
    assert "digits vgg_small none erk density 0.1 seed 0: accuracy" in outcome.out
    (path,) = (tmp_path / "results" / "runs").glob("*/record.json")
    made = json.loads(path.read_text())
    assert path.parent.name == made["key"] == only(*SMALL, "masker=erk", "scorer=random")[1].key
    assert made["names"]["scorer"] == made["description"]["scorer"] == "none"
    assert made["seconds"]["scoring"] == 0.0
    assert made["kept"] == round(0.1 * made["prunable"])
    imdbs = [layer["imdb"] for layer in made["layers"] if layer["imdb"] is not None and layer["density"] < 1]
    assert made["imdb_sum"] == pytest.approx(sum(imdbs))
    assert made["imdb"] == pytest.approx(sum(imdbs) / len(imdbs))
    norms = [layer["imdb_norm"] for layer in made["layers"] if layer["imdb_norm"] is not None]
    assert made["imdb_norm"] == pytest.approx(sum(norms) / len(norms))
    assert made["imdb_layers"] == len(norms) >= len(imdbs)
    # the report of both scorers has one row, and knows no scorer
    (path_of_table,) = (tmp_path / TABLES).glob("*.csv")
    (row,) = pd.read_csv(path_of_table).to_dict("records")
    assert (row["scorer"], row["masker"], row["n"]) == ("none", "erk", 1)
    # run again, or with another scorer, it is done
    again = in_process(tmp_path, monkeypatch, capsys, *SMALL, *ONE, "masker=erk", "scorer=random", "mode=plan")
    assert "1 done, 0 missing" in again.out
    # the masks do not depend on the weights either: those of zeros, by hand
    masks = load_masks(path.parent / "masks.safetensors")
    network = only(*SMALL, "masker=erk")[0].setting.network(10, (3, 8, 8))
    zeros = {name: torch.zeros_like(weight) for name, weight in prunable(network).items()}
    want = mask(target_of(network), zeros, named("masker", "erk").make(), 0.1, 0, {})
    assert all(torch.equal(kept, want[name]) for name, kept in masks.items())


def test_a_masker_that_refuses_the_network_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = in_process(tmp_path, monkeypatch, capsys, *SMALL, *ONE, "masker=ramanujan_fit", "densities=[0.01]")
    assert outcome.code == 1
    assert outcome.err.startswith(
        "pruneexp: 1 of 1 cells could not be made: digits vgg_small none ramanujan_fit density 0.01 seed "
    )
    assert ": density 0.01 keeps " in outcome.err
    assert outcome.err.count("\n") == 1


# reports


def filled(folder: Path, *arguments: str) -> Grid:
    """A grid with a made-up record for every cell."""
    grid = expand([f"results_dir={folder / 'runs'}", *arguments])
    fill(grid, folder / "runs", lambda cell: record(cell, 90 if cell.density == 1 else 80))
    return grid


def test_reports_name_the_scorer_none_and_give_the_drop(tmp_path: Path) -> None:
    grid = filled(tmp_path, "seed=0,1", "densities=[1.0,0.1]", "scorer=magnitude,synflow", "masker=erk,greedy")
    table = aggregate(frame_of(grid)).set_index(["scorer", "masker"])
    assert table["n"].to_dict() == {
        ("dense", "dense"): 2,
        ("none", "erk"): 2,
        ("magnitude", "greedy"): 2,
        ("synflow", "greedy"): 2,
    }
    assert table["drop"].tolist()[1:] == [10, 10, 10]
    assert table["pairs"].tolist() == [0, 2, 2, 2]
    # a dense network has none, whatever its record says
    assert table["imdb_sum"].fillna(0).tolist() == [0, 1.5, 1.5, 1.5]
    write_report(grid, "command")
    (path,) = (tmp_path / "runs" / "reports" / "tables").glob("*.md")
    lines = path.read_text().splitlines()
    (line,) = (line for line in lines if "| erk" in line)
    assert "| none " in line
    assert "10.00, 10.00" in line
    (head,) = (line for line in lines if line.startswith("| scorer"))
    assert {"drop", "pairs"} <= {word.strip() for word in head.split("|")}


@pytest.mark.parametrize(
    "swept",
    [
        ["rounds=1,3"],
        ["rounds=3", "round_masker=masker,greedy"],
    ],
)
def test_a_sweep_over_rounds_does_not_show_in_the_name_of_a_masker_without_them(
    swept: list[str], tmp_path: Path
) -> None:
    cells = frame_of(filled(tmp_path, *ONE, "masker=erk", *swept))
    assert cells[["masker", "options"]].to_numpy().tolist() == [["erk", ""]]


RAMANUJAN = ["ramanujan_table4", "ramanujan_table4_unpruned", "ramanujan_compare"]
RAMANUJAN += ["ramanujan_table6_vgg16", "ramanujan_table6_resnet34"]
RAMANUJAN += [f"ramanujan_table5_{network}" for network in ("unpruned", "vgg", "alexnet", "resnet18", "resnet34")]


@pytest.fixture(scope="module")
def settings() -> pd.DataFrame:
    """The tables' rows of all experiments on Ramanujan graphs, one seed of each."""
    return pd.concat([aggregate(framed(grid_of(name))).assign(name=name) for name in RAMANUJAN])


@pytest.mark.parametrize(("table", "rows"), [(4, 32), (5, 12)])
def test_every_published_row_of_the_papers_tables_stands_beside_a_cell_of_an_experiment(
    table: int, rows: int, settings: pd.DataFrame
) -> None:
    published = pd.read_csv(published_dir() / f"ramanujan_table{table}.csv")
    assert len(published) == rows
    on = ["dataset", "model", "scorer", "masker", "options", "recipe"]
    found = {(*row[on], row["asked_density"]): row for _, row in settings.iterrows()}
    for _, row in published.iterrows():
        met = found[(*row[on], row["density"])]
        assert met["published"] == row["accuracy"]
        assert met["published_imdb"] == pytest.approx(row["imdb"], nan_ok=True)
        assert pd.isna(met["published_imdb_norm"])
    # and nothing else is published
    of_paper = settings["source"].fillna("").str.contains(f"Ramanujan graphs, Tables? {table}")
    assert len(settings[of_paper].drop_duplicates([*on, "asked_density"])) == rows


def test_the_comparison_at_one_density_has_the_published_value_beside_the_papers_masks(settings: pd.DataFrame) -> None:
    table = settings[settings["name"] == "ramanujan_compare"]
    named = list(zip(table["scorer"], table["masker"], strict=True))
    assert sorted(named) == sorted(
        [("dense", "dense"), *[("none", name) for name in ("erk", "ramanujan", "ramanujan_fit", "random_regular")]]
        + [(scorer, name) for scorer in ("magnitude", "synflow") for name in ("greedy_global", "sparsify")]
    )
    row = table[table["masker"] == "ramanujan"].iloc[0]
    assert (row["published"], row["pairs"]) == (82, 1)


def test_a_network_is_not_asked_for_scores_by_prune_either() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))
    nn.init.constant_(model[0].get_parameter("weight"), float("nan"))
    masks = pruneexp.prune(model, 0.5, scorer="magnitude", masker="uniform")
    assert sum(int(kept.sum()) for kept in masks.values()) == 48
