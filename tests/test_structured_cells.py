"""Cells whose neurons are removed: what is recorded, measured later, reported and refused on the command line."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from pruneexp.data.resident import Resident
from pruneexp.jobs.job import Job
from pruneexp.network.masks import load_masks
from pruneexp.planning.size import Size
from pruneexp.sweep import expand
from pruneexp.training.device import Device
from tests.command import SMALL, TABLES, in_process

FEW = (*SMALL, "masker=structured", "scorer=l2", "seed=0", "densities=[1.0,0.5]", "figures=[accuracy,macs]",
       "columns=[n,accuracy,neurons,parameters,macs,latency]")  # fmt: skip


def tiny(num_classes: int, input_shape: tuple[int, int, int]) -> nn.Sequential:
    """Two convolutions, the first with BatchNorm, and two linear layers, on 32x32 images: 8x8 and 4x4 positions."""
    return nn.Sequential(
        nn.Conv2d(input_shape[0], 6, 3, stride=4, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(),
        nn.Conv2d(6, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(128, 10), nn.ReLU(),
        nn.Linear(10, num_classes),
    )  # fmt: skip


MODEL = ("model=vgg_small", "model._target_=tests.test_structured_cells.tiny")


def test_a_cells_record_files_and_report_by_hand_and_its_latency_added_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*more: str) -> str:
        ran = in_process(tmp_path, monkeypatch, capsys, *FEW, *MODEL, *more)
        assert ran.code == 0, ran.err
        return ran.out

    run()
    (stem,) = {path.stem for path in (tmp_path / TABLES).iterdir()}
    assert "cpu ms" not in (tmp_path / TABLES / f"{stem}.md").read_text()
    runs = tmp_path / "results" / "runs"
    folders = {record["asked_density"]: folder for folder, record in records(runs)}
    whole, half = (json.loads((folders[density] / "record.json").read_text()) for density in (1.0, 0.5))
    channels = whole["layers"][0]["shape"][1]
    dense = [6 * channels * 9, 8 * 6 * 9, 10 * 128, 10 * 10]
    small = [3 * channels * 9, 4 * 3 * 9, 5 * 64, 10 * 5]
    assert whole["kept"] == whole["prunable"] == half["prunable"] == sum(dense)
    assert half["kept"] == sum(small)
    assert half["density"] == half["effective_density"] == pytest.approx(sum(small) / sum(dense))
    assert half["notes"] == {"neurons": 24, "kept_neurons": 12}
    assert whole["parameters"] == sum(dense) + 12 + 8 + 10 + 10
    assert half["parameters"] == sum(small) + 6 + 4 + 5 + 10
    assert whole["macs"] == 64 * dense[0] + 16 * dense[1] + dense[2] + dense[3]
    assert half["macs"] == 64 * small[0] + 16 * small[1] + small[2] + small[3]
    assert [layer["shape"] for layer in half["layers"]] == [[3, channels, 3, 3], [4, 3, 3, 3], [5, 64], [10, 5]]
    masks = load_masks(folders[0.5] / "masks.safetensors")
    assert [int(mask.sum()) for mask in masks.values()] == small
    assert (folders[1.0] / "weights.safetensors").exists()
    assert not (folders[1.0] / "network.pt2").exists()

    # the file gives the recorded accuracy, and a plan knows the size before there is a cell
    (job,) = expand([*FEW, *MODEL, f"data_dir={tmp_path / 'data'}"]).jobs
    assert Size(job.setting).left(job.setting, 0.5) == (half["kept"], half["macs"])
    assert Size(job.setting).left(job.setting, 1.0) == (whole["kept"], whole["macs"])
    assert accuracy_of(folders[0.5] / "network.pt2", job) == pytest.approx(half["accuracy"])

    # latency later, with nothing trained again
    assert "latency" not in half
    before = {
        path: path.read_bytes() for folder in folders.values() for path in folder.iterdir() if path.suffix != ".json"
    }
    said = run("latency=true")
    assert said.count(": measured.") == 2
    assert all(path.read_bytes() == content for path, content in before.items())
    for density, old in ((1.0, whole), (0.5, half)):
        new = json.loads((folders[density] / "record.json").read_text())
        times = new.pop("latency")
        assert new.pop("measurements") == ["latency"]
        assert new.pop("digest") != old["digest"]
        assert new == {name: value for name, value in old.items() if name != "digest"}
        assert set(times) == {"cpu"}
        assert set(times["cpu"]) == {"1", "64"}
        assert 0 < times["cpu"]["1"] < times["cpu"]["64"]
    assert ": measured." not in run("latency=true")

    reports = runs / "reports"
    assert (reports / "figures" / f"{stem}-macs.svg").exists()
    table = pd.read_csv(reports / "tables" / f"{stem}.csv")
    assert table["neurons"].tolist()[1:] == [0.5]
    assert table["parameters"].tolist() == [whole["parameters"], half["parameters"]]
    shown = (reports / "tables" / f"{stem}.md").read_text()
    assert "parameters (M)" in shown
    assert "cpu ms, batch 64" in shown
    assert f"{half['macs'] / 1e6:.1f} ({100 * half['macs'] / whole['macs']:.3g} %)" in shown
    assert "50 %" in shown


def records(runs: Path) -> list[tuple[Path, dict[str, float]]]:
    return [(path.parent, json.loads(path.read_text())) for path in runs.glob("*/record.json")]


def accuracy_of(program: Path, job: Job) -> float:
    data = Resident(job.setting.dataset(), job.setting.make("recipe"), 0, Device("cpu").where)
    network, hits = torch.export.load(program).module(), []
    for images, labels in data.batches(data.test):
        hits.append((network(images).argmax(dim=1) == labels).numpy())
    return float(100 * np.concatenate(hits).mean())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["scorer=eigenvector_centrality", "scorer.tau=1.0"], "tau must be at least 0 and below 1, got 1.0"),
        (["scorer=eigenvector_centrality", "scorer.tau=-0.1"], "tau must be at least 0 and below 1, got -0.1"),
        (["densities=[0.05]"], "leaves no neuron of 0.weight, which has 6: use at least 0.085."),
        (
            ["densities=[0.05]", "masker.scope=global"],
            "fewer than one in each of the 3 groups of layers: use at least 0.13.",
        ),
        (["rounds=2"], "masker=structured removes neurons at once, and rounds=2: set rounds=1."),
        (["scorer=synflow"], "masker=structured removes neurons at once, and rounds=100: set rounds=1."),
        (["shuffle=true"], "treatment=shuffle moves single weights, and masker=structured removes neurons."),
        (["repair=paths"], "treatment=repair moves single weights, and masker=structured removes neurons."),
        (["latency=maybe"], "latency must be true or false"),
    ],
)
def test_what_cannot_be_removed_is_refused_in_one_sentence_on_the_command_line(
    options: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = [option for option in MODEL if "model=vit_small" not in options]
    ran = in_process(tmp_path, monkeypatch, capsys, *FEW, "densities=[0.5]", *model, *options)
    assert ran.code in (1, 2), ran.err
    assert sentence in ran.err
    assert "Traceback" not in ran.err
    assert len(ran.err.strip().splitlines()) == 1
