"""The baseline of removed neurons: the unpruned network with a new classifier trained alone, beside the one that is trained whole."""

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from omegaconf import OmegaConf

from pruneexp.models.vgg import vgg_small
from pruneexp.reports.frame import tidy
from pruneexp.reports.labels import Labels
from pruneexp.reports.notes import notes
from pruneexp.reports.presets import Presets
from pruneexp.reports.table import aggregate
from pruneexp.sweep import expand
from pruneexp.system.shipped import conf_dir
from tests.command import in_process
from tests.helpers import cells_of
from tests.reports.made_records import grid_of, record

PAIRS = [("finetune", "finetune_linear"), ("finetune_10", "finetune_10_linear")]


@pytest.mark.parametrize(("whole", "alone"), PAIRS)
def test_the_recipes_differ_in_the_frozen_epochs_alone(whole: str, alone: str) -> None:
    both = [component.make() for name in (whole, alone) if (component := Presets().component("recipe", name))]
    differ = {name for name in vars(both[0]) if getattr(both[0], name) != getattr(both[1], name)}
    assert differ == {"frozen_epochs"}
    assert both[1].frozen_epochs == both[1].epochs


def test_of_fewer_epochs_all_are_frozen() -> None:
    recipe = expand(["recipe=finetune_linear", "recipe.epochs=3"]).jobs[0].setting.make("recipe")
    assert (recipe.epochs, recipe.frozen_epochs) == (3, 3)


@pytest.mark.parametrize(
    ("pruned", "alone"),
    [
        ("centrality_small", "centrality_small_linear"),
        ("centrality_table", "centrality_table_linear"),
        ("centrality_table_vgg", "centrality_table_linear"),
    ],
)
def test_the_baselines_are_of_the_networks_data_and_seeds_that_are_pruned(pruned: str, alone: str) -> None:
    def asked(name: str) -> dict[str, set[str]]:
        said: Any = OmegaConf.to_container(OmegaConf.load(conf_dir() / "experiment" / f"{name}.yaml"))
        chosen = {group.removeprefix("override /"): name for one in said["defaults"] for group, name in one.items()}
        swept = {group: str(values) for group, values in said["hydra"]["sweeper"]["params"].items()}
        found = {name: swept.get(name, chosen.get(name)) for name in ("dataset", "model", "seed")}
        return {name: set(str(values).split(",")) for name, values in found.items()} | {
            "weights": {said.get("weights")}
        }

    whole, baseline = asked(pruned), asked(alone)
    assert all(whole[name] <= baseline[name] for name in whole)


def test_only_the_classifier_moves_of_a_cell_with_pretrained_weights_and_statistics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretrained = vgg_small(10, (3, 8, 8)).state_dict()
    generator = torch.Generator().manual_seed(0)
    for name, value in pretrained.items():
        if "running" in name:  # statistics that no new network has
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
    safetensors.torch.save_file(pretrained, tmp_path / "pretrained.safetensors")

    words = [
        "model=vgg_small",
        "weights=pretrained.safetensors",
        "masker=structured",
        "scorer=l2",
        "seed=0",
        "figure=[]",
    ]
    words += ["recipe=finetune_linear", "recipe.epochs=2", "recipe.train_images=128", "densities=[1.0]"]
    ran = in_process(tmp_path, monkeypatch, capsys, *words, "logger=none", "trainer.threads=1")
    assert ran.code == 0, ran.err
    (folder,) = (path.parent for path in (tmp_path / "results" / "runs").glob("*/record.json"))
    trained = safetensors.torch.load_file(folder / "weights.safetensors")
    moved = {name for name, value in trained.items() if not torch.equal(value, pretrained[name])}
    assert moved == {"fc.weight", "fc.bias"}  # statistics and their counts included


def test_both_baselines_stand_beside_what_is_pruned_and_the_drop_is_to_the_network_that_is_trained_alike() -> None:
    parts = [grid_of("centrality_table_vgg"), grid_of("centrality_table_linear")]
    accuracies = {("finetune", "dense"): 80.0, ("finetune", "structured"): 70.0, ("finetune_linear", "dense"): 60.0}
    made = [
        (record(cell, accuracies[cell.names["recipe"], cell.names["masker"]], digest="d"), cell.names)
        for grid in parts
        for _, cell in cells_of(grid).values()
        if (cell.names["dataset"], cell.names["model"]) == ("flowers102", "torchvision_vgg16")
    ]
    cells = tidy(made, Labels(Presets()))
    table = aggregate(cells)
    dense = table[table["masker"] == "dense"].set_index("recipe")
    assert dense["accuracy"].to_dict() == {"finetune": 80, "finetune_linear": 60}
    assert dense["published"].dropna().to_dict() == {"finetune_linear": 30}  # the abstract's baseline
    pruned = table[table["masker"] == "structured"]
    assert set(pruned["recipe"]) == {"finetune"}
    assert (pruned["drop"] == 10).all()
    assert pruned.loc[pruned["scorer"] == "eigenvector_centrality", "published"].tolist() == [48] * 3
    (told,) = [note for note in notes(table, cells) if "classifier alone" in note]
    assert told.startswith("finetune_linear trains the classifier alone")
