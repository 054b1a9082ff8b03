"""Every experiment in conf/ plans, and runs one cell on a few images of its data set's shape."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from pruneexp.cell import BESIDES
from pruneexp.jobs.composing import Source, composed, hydra
from pruneexp.layers import Layer
from pruneexp.network.prunable import prunable
from pruneexp.reports.labels import dense_of
from pruneexp.sweep import Grid, expand, first_words
from pruneexp.system.shipped import conf_dir
from tests.command import TABLES, in_process
from tests.helpers import cells_of

EXPERIMENTS = sorted(path.stem for path in (conf_dir() / "experiment").glob("*.yaml"))
RAMANUJAN = [name for name in EXPERIMENTS if name.startswith("ramanujan_")]
CENTRALITY = [name for name in EXPERIMENTS if name.startswith("centrality_")]
PRETRAIN = [name for name in EXPERIMENTS if name.startswith("pretrain_")]
OF_DENSE = [*PRETRAIN, *(name for name in CENTRALITY if name.endswith("_linear"))]
SAME = (  # their smoke runs would be those of others
    "pretrain_cifar10",
    "centrality_small_linear",
    "which_or_how_many_snip",
    "best_of_both",
    "best_of_both_rivals",
    "baselines_resnet20_sparsify",
)
OTHERS = [name for name in EXPERIMENTS if name not in (*RAMANUJAN, *CENTRALITY, *PRETRAIN, *SAME)]
# one of the ways in which masks change that an experiment sweeps, in steps enough for it; an epoch after that which it rewinds to
MORE = {
    "baselines_resnet20_updates": ["mask_update=set", "recipe.batch_size=1"],
    "baselines_resnet20_gmp": ["recipe.batch_size=1"],
    "baselines_resnet20_imp": ["recipe.epochs=2"],
}


COUNTED = ("baselines_resnet20_gmp",)  # take from the masker only how many weights each layer keeps


def first_named(name: str) -> tuple[str, ...]:
    """The first network and data set that an experiment names."""
    text = (conf_dir() / "experiment" / f"{name}.yaml").read_text()
    return tuple(re.findall(rf"\b{group}: (\w+)", text)[0] for group in ("model", "dataset"))


# Conv-6 is trained in another one, on as many pixels
ALIKE = ("topology_table10_conv6",)
# with recipe, scorer and masker given, the smoke runs of others of one network and data set are the very same: they train a small one
OF_THEIR_NETWORK = {first_named(name): name for name in reversed(OTHERS) if name not in ALIKE}.values()


def stand_in(num_classes: int, input_shape: tuple[int, int, int]) -> nn.Sequential:
    """A small network with layers for the graphs of the paper: convolutions of 64 and 256 input channels, and a square
    linear layer of 13 (13^2 - 1) / 2 neurons, for which p = 5."""
    return nn.Sequential(
        nn.Conv2d(input_shape[0], 64, 3), nn.ReLU(), nn.MaxPool2d(6), nn.Conv2d(64, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(16, 1092), nn.ReLU(), nn.Linear(1092, 1092), nn.ReLU(), nn.Linear(1092, num_classes),
    )  # fmt: skip


def fake_data(data_dir: Path, dataset: Any) -> tuple[int, int]:
    """Random arrays of the data set's shape: how many training and test images, fewer where they are large."""
    counts = (32, 16) if dataset.image_shape[-1] <= 32 else (8, 8)
    folder, rng = data_dir / dataset.name, np.random.default_rng(0)
    folder.mkdir(parents=True)
    for split, count in zip(("train", "test"), counts, strict=True):
        images = rng.integers(0, 256, (count, *dataset.image_shape), dtype=np.uint8)
        np.save(folder / f"{split}_images.npy", images)
        np.save(folder / f"{split}_labels.npy", rng.integers(0, dataset.classes, count))
    return counts


def test_there_are_experiments() -> None:
    assert {"vgg16_c100_sweep", "vgg11_c10_sweep", "resnet20_c10_sweep", "resnet18_tiny_sweep"} <= set(EXPERIMENTS)
    assert {"ramanujan_table4", "ramanujan_table4_unpruned", "ramanujan_compare"} <= set(RAMANUJAN)
    assert {f"ramanujan_table5_{end}" for end in ("unpruned", "vgg", "resnet34")} <= set(RAMANUJAN)
    assert {"centrality_table", "centrality_table_vgg", "centrality_sweep", "centrality_small"} <= set(CENTRALITY)
    assert "pretrain_cifar100" in PRETRAIN


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if name.endswith("_sweep") and name not in CENTRALITY])
def test_the_grid_is_three_maskers_three_seeds_and_the_papers_densities(name: str) -> None:
    grid = expand([f"+experiment={name}"])
    assert OmegaConf.create(grid.jobs[0].config).name == name
    assert {job.setting.names()["masker"] for job in grid.jobs} == {"sparsify", "greedy", "greedy_matched"}
    assert {job.seed for job in grid.jobs} == {0, 1, 2}
    assert len(grid.jobs) == 9
    densities = grid.jobs[0].densities
    assert densities == sorted(densities, reverse=True)
    assert {0.5, 0.1, 0.02, 0.01, 0.005} <= set(densities)
    dense = 3 * (1.0 in densities)
    assert len(cells_of(grid)) == 9 * len([density for density in densities if density < 1]) + dense


METHOD = ("scorer", "masker", "allocation", "treatment")


def config_of(*words: str) -> Any:
    """What the first of the jobs that these words ask for is configured by, its method as it is without a sweep."""
    first = [word for word in first_words(words, Source()) if word.partition("=")[0] not in METHOD or word in words]
    with hydra(Source()):
        return composed("config", first).config


def planned_cells(printed: str, name: str) -> tuple[int, int, int]:
    """Of an experiment's plan: how many cells there are, are done and are missing."""
    found = re.search(rf"^ *{name}\S*, (\d+) cells", printed, re.MULTILINE)
    counts = re.search(r"(\d+) done, (\d+) missing", printed)
    assert found, printed
    assert counts, printed
    return int(found[1]), int(counts[1]), int(counts[2])


def reported(folder: Path, name: str, *figures: str) -> None:
    """There is one report, called by the experiment and what changes it, with a figure, and others of these endings."""
    (table,) = (path for path in folder.glob(f"{TABLES}/*.csv") if not path.stem.endswith("-layers"))
    assert table.stem.startswith(f"{name}-")
    told = json.loads(table.with_suffix(".json").read_text())["name"]
    assert told.startswith(f"{name}[")
    assert "recipe=smoke" in told
    for end in ("", *figures):
        assert (table.parents[1] / "figures" / f"{table.stem}{end}.svg").exists()


@pytest.mark.usefixtures("svg_alone")
@pytest.mark.parametrize("name", OTHERS)
def test_a_smoke_run_of_one_cell_and_the_plan_around_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = config_of(f"+experiment={name}")
    dataset = whole.dataset
    train, test = fake_data(tmp_path / "data", dataset)
    small = [f"+experiment={name}", "recipe=smoke", f"recipe.train_images={train}", f"recipe.test_images={test}"]
    small += [f"dataset.train_count={train}", "logger=none", "trainer.threads=1"]
    model = whole.model.name if name in OF_THEIR_NETWORK else "vgg_small"
    small += [f"dataset={dataset.name}", f"model={model}", "invert=false", "shuffle=false", "reinit=false"]
    small += ["allocation=own", *MORE.get(name, [])]
    density = next(value for value in whole.densities if value < 1)  # no word of these says another
    small.append("scorer=magnitude")
    scorer, masker, other = ("none", "uniform", "erk") if name in COUNTED else ("magnitude", "greedy", "sparsify")
    one = [*small, f"masker={masker}", "seed=0", f"densities=[{density}]"]
    ran = in_process(tmp_path, monkeypatch, capsys, *one)
    assert ran.code == 0, ran.err
    made = [path.parent for path in (tmp_path / "results" / "runs").glob("*/record.json")]
    (folder,) = (path for path in made if f"-d{density:g}-" in path.name)
    record = json.loads((folder / "record.json").read_text())
    assert {group: chosen for group, chosen in record["names"].items() if group not in BESIDES} == {
        "dataset": dataset.name,
        "model": record["config"]["model"]["name"],
        "scorer": scorer,
        "masker": masker,
        "recipe": "smoke",
    }
    assert record["kept"] == round(density * record["prunable"])
    assert 0 <= record["accuracy"] <= 100
    assert record["config"]["name"] == name
    reported(tmp_path, name)
    around = [*small, f"masker={masker},{other}", "mode=plan"]
    planned = in_process(tmp_path, monkeypatch, capsys, *around)
    assert planned.code == 0, planned.err
    cells = len(cells_of(expand(around)))
    assert planned_cells(planned.out, name) == (cells, len(made), cells - len(made))
    assert "from recorded cells" in planned.out
    assert f"{round(density * record['prunable']):,}" in planned.out


@pytest.mark.usefixtures("svg_alone")
@pytest.mark.parametrize("name", RAMANUJAN)
def test_a_smoke_run_of_the_papers_masks_on_a_small_network_and_the_plan_around_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = config_of(f"+experiment={name}", "seed=0", "masker=ramanujan").dataset
    train, test = fake_data(tmp_path / "data", dataset)
    small = [f"+experiment={name}", "recipe=smoke", f"recipe.train_images={train}", f"recipe.test_images={test}"]
    small += [f"dataset.train_count={train}", f"dataset={dataset.name}", "logger=none", "trainer.threads=1"]
    small += ["model=vgg_small", "model._target_=tests.test_experiments.stand_in"]
    one = [*small, "masker=ramanujan", "masker.p=5", "scorer=magnitude", "seed=0"]
    # the density that the experiment's own options give this network
    (job,) = expand(one).jobs
    weights = prunable(stand_in(dataset.classes, tuple(dataset.image_shape)))
    layers = [Layer(key, weight, torch.ones_like(weight, dtype=torch.bool)) for key, weight in weights.items()]
    graphs = job.setting.make("masker")(layers, 1.0, torch.Generator(), {})
    kept, total = sum(int(mask.sum()) for mask in graphs.values()), sum(layer.size for layer in layers)
    assert kept < 0.9 * total
    dense = all(value == 1 for value in job.densities)
    density = 1.0 if dense else round(kept / total, 3)
    ran = in_process(tmp_path, monkeypatch, capsys, *one, f"densities=[{density}]")
    assert ran.code == 0, ran.err
    (path,) = (tmp_path / "results" / "runs").glob("*/record.json")
    record = json.loads(path.read_text())
    assert record["names"] == {
        "dataset": dataset.name,
        "model": "vgg_small",
        "scorer": "dense" if dense else "none",
        "masker": "dense" if dense else "ramanujan",
        "recipe": "smoke",
    }
    assert (record["kept"], record["prunable"]) == (total if dense else kept, total)
    assert {layer["name"]: layer["kept"] for layer in record["layers"]} == {
        key: weights[key].numel() if dense else int(mask.sum()) for key, mask in graphs.items()
    }
    assert (record["imdb"] is None) == dense
    assert 0 <= record["accuracy"] <= 100
    assert record["config"]["name"] == name
    assert record["description"]["initialisation"] == "kaiming_uniform"
    reported(tmp_path, name)
    around = [*one[:-1], f"densities=[1.0,{density}]" if density < 1 else "densities=[1.0]", "mode=plan"]
    planned = in_process(tmp_path, monkeypatch, capsys, *around)
    assert planned.code == 0, planned.err
    cells = len(cells_of(expand(around)))
    assert cells == (3 if dense else 6)
    assert planned_cells(planned.out, name) == (cells, 1, cells - 1)
    assert "from recorded cells" in planned.out
    assert f"{round(density * total):,}" in planned.out


@pytest.mark.usefixtures("svg_alone")
@pytest.mark.parametrize("name", [name for name in (*CENTRALITY, *PRETRAIN) if name not in SAME])
def test_a_smoke_run_of_a_smaller_or_a_pretraining_network_and_the_plan_around_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset, dense = config_of(f"+experiment={name}", "weights=none").dataset, name in OF_DENSE
    dataset.image_shape = [3, 32, 32]
    train, test = fake_data(tmp_path / "data", dataset)
    # no weights, for there are none of ImageNet to be had, and a small network for torchvision's
    small = [f"+experiment={name}", "recipe=smoke", f"recipe.train_images={train}", f"recipe.test_images={test}"]
    small += [f"dataset={dataset.name}", f"dataset.train_count={train}", "dataset.image_shape=[3,32,32]", "logger=none"]
    small += ["trainer.threads=1", "weights=none", "model=vgg_small"]
    small += ["scorer.tau=0.1"] if name == "centrality_sweep" else []
    densities = [1.0] if dense else [1.0, 0.5]
    scorer = "magnitude" if dense else "eigenvector_centrality"
    one = [*small, f"scorer={scorer}", "seed=0", f"densities={densities}".replace(" ", "")]
    ran = in_process(tmp_path, monkeypatch, capsys, *one)
    assert ran.code == 0, ran.err
    made = sorted((tmp_path / "results" / "runs").glob("*/record.json"))
    records = {record["asked_density"]: record for record in (json.loads(path.read_text()) for path in made)}
    assert sorted(records, reverse=True) == densities
    assert all(record["config"]["name"] == name and 0 <= record["accuracy"] <= 100 for record in records.values())
    assert ("its weights: " in ran.out) == (densities == [1.0])
    reported(tmp_path, name, *([] if dense else ["-macs"]))
    if not dense:
        assert records[0.5]["names"]["masker"] == "structured"
        notes = records[0.5]["notes"]
        assert notes["kept_neurons"] == notes["neurons"] / 2
        assert records[0.5]["kept"] < 0.5 * records[0.5]["prunable"] == 0.5 * records[1.0]["kept"]
        assert ("latency" in records[0.5]) == name.startswith("centrality_table")
    around = [*small, f"scorer={scorer}", "mode=plan"]
    planned = in_process(tmp_path, monkeypatch, capsys, *around)
    assert planned.code == 0, planned.err
    cells = len(cells_of(expand(around)))
    assert planned_cells(planned.out, name) == (cells, len(made), cells - len(made))
    assert ("from recorded cells" in planned.out) == (cells > len(made))  # of none that is missing no time is told


@dataclass(frozen=True)
class Published:
    """An experiment as published: its name, the words that plan it, and its grid."""

    name: str
    words: list[str]
    grid: Grid


@pytest.fixture(scope="module", params=EXPERIMENTS)
def published(request: pytest.FixtureRequest) -> Published:
    words = [f"+experiment={request.param}", "mode=plan", "plan.time=false"]
    # small images where the channels of three of torchvision's networks would be followed at ImageNet's size
    small = ["dataset=tf_flowers", "dataset.image_shape=[3,32,32]"]
    words += small if request.param.startswith("centrality_table") else []
    return Published(request.param, words, expand(words))


def test_the_experiment_as_published_plans_without_data_and_writes_nothing(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name, grid = published.name, published.grid
    planned = in_process(tmp_path, monkeypatch, capsys, *published.words)
    assert planned.code == 0, planned.err
    cells = len(cells_of(grid))
    assert f"{name}, {cells} cells" in planned.out
    assert planned_cells(planned.out, name) == (cells, 0, cells)
    assert "a cell" not in planned.out
    assert list(tmp_path.iterdir()) == []
    # batch normalisation starts as OpenLTH has it where Laenen is repeated
    laenen = name.startswith("laenen_") or (name.endswith("_sweep") and name not in CENTRALITY)
    starts = {job.config.get("batchnorm_init", "ones") for job in grid.jobs}
    assert starts == {"uniform" if laenen else "ones"}


def test_the_dense_description_that_reports_go_by_is_that_of_the_experiments_dense_cell(published: Published) -> None:
    settings = {id(job.setting): job for job in published.grid.jobs}
    assert settings
    for job in settings.values():
        for precision in ("float32", "bf16"):
            dense, pruned = (job.cell(density, precision).description for density in (1.0, 0.1))
            assert dense_of(pruned) == dense == dense_of(dense)


@pytest.mark.parametrize("name", ["resnet20_c10_sweep", "centrality_small", "centrality_small_linear"])
def test_the_time_of_an_experiment_as_published_is_planned_without_data(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of masked weights, of removed neurons, and where the classifier alone is trained."""
    monkeypatch.setattr("pruneexp.planning.timed.ALL", 0.2)  # seconds
    planned = in_process(tmp_path, monkeypatch, capsys, f"+experiment={name}", "mode=plan", "trainer.threads=1")
    assert planned.code == 0, planned.err
    assert "a cell" in planned.out
    assert re.search(r"; about [\d.]+ \w+ left on this CPU, .* \(from timed training steps,", planned.out)
    assert list(tmp_path.iterdir()) == []
