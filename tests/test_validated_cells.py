"""Cells whose epoch is selected by held-out images: what is recorded, saved, reported, pruned after training, and refused."""

import contextlib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import safetensors.torch
import torch

import pruneexp
from pruneexp.data.dataset import Dataset
from pruneexp.data.resident import Resident
from pruneexp.loading import LoadedCell
from pruneexp.pruning.prune import pruned
from pruneexp.reports.table import aggregate
from pruneexp.sweep import expand
from pruneexp.training.device import Device
from tests.command import SMALL, TABLES, files, in_process, refused
from tests.helpers import toy_dataset
from tests.test_structured_cells import MODEL
from tests.training.test_selection import HUMP, scripted

ASKED = (
    *SMALL,
    *MODEL,
    "recipe.epochs=6",
    "recipe.lr=0.01",
    "seed=0",
    "densities=[1.0,0.5]",
    "when=trained",
    "rewind=none",
)
SELECTED = ("dataset.validation=200", "select=best_validation", "patience=2")  # by HUMP epoch 2 of five


class Log:
    """A tracker's run."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.summary: dict[str, Any] = {}

    def log_metrics(self, row: Mapping[str, float], step: int) -> None:
        self.steps.append(step)
        self.summary |= row

    def conclude(self, figures: Mapping[str, Any]) -> None:
        self.summary |= figures


def accuracy_of(cell: LoadedCell, images: Resident) -> float:
    """Percent of the test images that the saved network gets right."""
    with torch.no_grad():
        hits = [cell.model(shown).argmax(dim=1) == labels for shown, labels in images.batches(images.test)]
    return 100 * float(torch.cat(hits).double().mean())


def test_what_counts_is_the_best_epoch_in_record_files_and_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], data: Path
) -> None:
    scripted(monkeypatch, {0: HUMP})
    seen: list[dict[str, torch.Tensor]] = []  # the networks that are masked

    def watched(method: object, network: torch.nn.Module, *rest: object, **others: object) -> object:
        seen.append({name: value.clone() for name, value in network.state_dict().items()})
        return pruned(method, network, *rest, **others)  # type: ignore[arg-type]

    monkeypatch.setattr("pruneexp.artifacts.pruned", watched)
    logs = defaultdict[str, Log](Log)
    monkeypatch.setattr(
        "pruneexp.trials.logging_to", lambda kind, folder, about: contextlib.nullcontext([logs[about.key]])
    )
    words = ["scorer=l2", f"data_dir={data}"]
    for more in (
        ("masker=structured,greedy", *SELECTED), ("masker=greedy", "dataset.validation=200"), ("masker=greedy", "densities=[1.0]"),
    ):  # fmt: skip
        ran = in_process(tmp_path, monkeypatch, capsys, *ASKED, *words, *more)
        assert ran.code == 0, ran.err
    runs = tmp_path / "results" / "runs"
    results = pruneexp.load_results(runs).set_index("key")
    figures = results[["selected_epoch", "validation_accuracy", "validation_loss", "epochs"]].fillna(-1)
    selected = results[results["selected_epoch"] == 2]
    assert sorted(map(tuple, figures.to_numpy())) == [
        (-1, -1, -1, 6), *[(2, 60.0, 0.7, 5)] * 3, *[(5, 50.0, 0.5, 6)] * 2
    ]  # fmt: skip
    (job,) = expand([*ASKED, "masker=greedy", f"data_dir={data}"]).jobs
    images = Resident(job.setting.dataset(), job.setting.make("recipe"), 0, Device("cpu").where)
    for key, row in results.iterrows():
        folder, counts = runs / str(key), 2 if key in selected.index else 5
        history = pd.read_csv(folder / "history.csv")
        assert len(history) == row["epochs"]
        assert row["train_loss"] == pytest.approx(history["train/loss"][counts])
        # a tracker's last row comes after the last epoch, and its summary is of the epoch that counts
        assert logs[str(key)].steps == [*range(len(history)), len(history)]
        assert {name: logs[str(key)].summary[str(name)] for name in history} == pytest.approx(dict(history.loc[counts]))
        assert logs[str(key)].summary["accuracy"] == row["accuracy"]
        assert accuracy_of(pruneexp.load_cell(folder), images) == pytest.approx(row["accuracy"])
    # what is pruned after training are the selected weights
    (dense,) = selected.index[selected["masker"] == "dense"]
    saved = safetensors.torch.load_file(runs / dense / "weights.safetensors")
    assert len(seen) == 3
    assert [all(torch.equal(saved[name], value) for name, value in one.items()) for one in seen] == [True, True, False]
    # a table tells the three ways apart, and shows the figure where there is one
    table = aggregate(results.reset_index())
    assert len(table) == 6
    assert set(zip(table["dataset"], table["options"], strict=True)) == {
        ("digits", ""), ("digits[validation=200]", ""), ("digits[validation=200]", "when=trained, rewind=none"),
        ("digits[validation=200]", "select=best_validation, patience=2"),
        ("digits[validation=200]", "when=trained, rewind=none, select=best_validation, patience=2"),
    }  # fmt: skip
    assert table["drop"].notna().sum() == 3  # each from the dense network of its own way
    shown = {path.name: path.read_text() for path in (tmp_path / TABLES).glob("*.md")}
    assert sorted("| validation" in text for text in shown.values()) == [False, True, True]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("select=best_validation",), "dataset=digits holds out no training images for select=best_validation to go by: set"),
        (("patience=3",), "holds out no training images for patience=3 to go by"),
        (("select=best_validation", "patience=3", "dataset.validation=0"), "for select=best_validation and patience=3 to go by"),
        (("select=best", "dataset.validation=100"), "select must be last or best_validation, got 'best'"),
        (("patience=-1", "dataset.validation=100"), "patience must be a whole number, at least 0"),
        (("patience=1.5", "dataset.validation=100"), "patience must be a whole number, at least 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_selected_by_is_refused_in_one_sentence(
    words: tuple[str, ...],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    refused(in_process(tmp_path, monkeypatch, capsys, *ASKED, "masker=greedy", *words), sentence, tmp_path)


def none_held_out(
    data_dir: str, name: str, source: Any, classes: int, train_count: int, image_shape: Any, mean: Any, std: Any
) -> Dataset:
    """A data set of somebody's own, which has the digits' options but for the validation images."""
    return toy_dataset(70, side=32)


def test_a_data_set_of_ones_own_without_held_out_images_is_refused_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = "dataset._target_=tests.test_validated_cells.none_held_out"
    ran = in_process(tmp_path, monkeypatch, capsys, *ASKED, "masker=greedy", own, "patience=0,1")
    assert ran.code == 2
    assert "this data set holds out none: give it validation=N" in ran.err
    assert ran.err.count("\n") == 1
    assert files(tmp_path) in ([], ["results/runs"])
