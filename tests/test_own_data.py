"""Data and models of one's own from the command line: one small sweep, and what is kept of where they lie."""

import json
from pathlib import Path

import numpy as np
import pytest

import pruneexp
from pruneexp.data.dataset import FILES, Arrays
from pruneexp.reports.grouping import rows_of
from pruneexp.sweep import expand
from tests.command import SMALL, TABLES, Run, in_process
from tests.data.pictures import folder_of_classes, picture

OWN = (
    *SMALL, "dataset=folder", "dataset.side=16", "model=timm", "model.architecture=test_resnet", "seed=0", "masker=greedy",
    "densities=[1.0,0.5]",
)  # fmt: skip


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """``run(overrides...)``: the command in this process, beside a folder somebody/birds."""
    folder_of_classes(tmp_path / "somebody" / "birds", {"hawk": 6, "owl": 6})
    return lambda *words: in_process(tmp_path, monkeypatch, capsys, *words)


def test_a_folder_of_images_from_plan_to_report(run: Run, tmp_path: Path) -> None:
    words = (*OWN, f"dataset.root={tmp_path}/somebody/birds", "dataset.name=birds")
    planned = run(*words, "mode=plan")
    assert planned.code == 0, planned.err
    assert "0 done, 2 missing" in planned.out
    (kept,) = (tmp_path / "data").iterdir()
    done = run(*words)
    assert done.code == 0, done.err
    records = [path.read_text(encoding="utf-8") for path in (tmp_path / "results" / "runs").glob("*/record.json")]
    assert len(records) == 2
    for text in records:
        record = json.loads(text)
        assert record["names"]["dataset"] == "birds"
        assert record["data"]["name"] == "birds"
        assert (record["classes"], record["input_shape"]) == (2, [3, 16, 16])
        assert record["description"]["model"]["options"] == {"architecture": "test_resnet"}
        assert "root" not in record["config"]["dataset"]
        assert "somebody" not in text
        assert str(tmp_path) not in text
    (table,) = (tmp_path / TABLES).glob("*.csv")
    assert "birds[side=16]" in table.read_text(encoding="utf-8")
    again = run(*words, "mode=status")
    assert "2 done, 0 being worked on, 0 failed, 0 missing." in again.out
    # the arrays are made once, and the network is found again
    assert [path.name for path in (tmp_path / "data").iterdir()] == [kept.name]
    cell = next(path.parent for path in (tmp_path / "results" / "runs").glob("*greedy*/record.json"))
    model, masks, _ = pruneexp.load_cell(cell)
    assert all(not weight[~masks[name]].any() for name, weight in model.named_parameters() if name in masks)
    # changed pictures are other cells
    picture(tmp_path / "somebody" / "birds" / "owl" / "new.png", 12, 8)
    changed = run(*words, "mode=plan")
    assert changed.code == 0, changed.err
    assert "0 done, 2 missing" in changed.out
    assert f"{kept.name} was made of" in changed.out


def test_two_folders_are_never_one_data_set(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of_classes(tmp_path / "other" / "birds", {"hawk": 6, "owl": 7})
    monkeypatch.chdir(tmp_path)
    grid = expand([*OWN, "dataset.root=somebody/birds,other/birds"])
    assert len({cell.key for slot in grid.slots for cell in slot.cells}) == len(grid.slots) * len(grid.slots[0].cells)
    labels = {names[0] for names in rows_of(grid)}
    assert len(labels) == 2
    assert all(label.startswith("folder[root=") for label in labels)
    first, second = (next(job for job in grid.jobs if job.config["dataset"]["root"].startswith(who)).setting.dataset()
                     for who in ("somebody", "other"))  # fmt: skip
    assert first.digest != second.digest
    assert len(list((tmp_path / "data").iterdir())) == 2
    assert not np.array_equal(np.bincount(first.train_labels), np.bincount(second.train_labels))


def test_a_sweep_over_two_roots_goes_on_with_each(run: Run, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for root in ("first", "second"):
        labels = np.arange(24) % 2
        images = random.integers(0, 256, (24, 1, 8, 8), dtype=np.uint8)
        arrays: Arrays = dict(zip(FILES, (images, labels, images[:8], labels[:8]), strict=True))
        np.savez(tmp_path / f"{root}.npz", allow_pickle=False, **arrays)
    words = [*SMALL, "dataset=arrays", "dataset.root=first.npz,second.npz", "masker=greedy", "seed=0"]
    for densities in ("[0.5]", "[0.5,0.4]"):
        done = run(*words, f"densities={densities}")
        assert done.code == 0, done.err
    assert "4 done" in run(*words, "densities=[0.5,0.4]", "mode=status").out
    checked = run("mode=check")
    assert (checked.code, "states of" in checked.out) == (0, False), checked.out
    # what one content became is another state of that content, and refused
    (changed,) = {path.parent for path in (tmp_path / "data").glob("*/train_labels.npy")
                  if np.load(path.with_name("train_images.npy"))[0, 0, 0, 0] == images[0, 0, 0, 0]}  # fmt: skip
    np.save(changed / "train_labels.npy", 1 - labels)
    (changed / "sha256").unlink()
    refused = run(*words, "densities=[0.5,0.3]")
    assert refused.code == 2
    assert "the arrays of arrays are not those that" in refused.err


def test_a_cell_is_the_same_whatever_its_data_is_called(run: Run, tmp_path: Path) -> None:
    words = [*OWN, f"dataset.root={tmp_path}/somebody/birds"]
    one, other = (expand([*words, *name]).slots[0].cell for name in ((), ("dataset.name=birds",)))
    digest = one.description["dataset"]["content"]["root"].removeprefix("sha256:")[:8]
    assert (one.key, one.names["dataset"], other.names["dataset"]) == (other.key, f"folder[root={digest}]", "birds")


def test_devices_that_share_a_batch_make_another_cell_whatever_the_images(run: Run, tmp_path: Path) -> None:
    words = [*OWN, f"dataset.root={tmp_path}/somebody/birds", "trainer.accelerator=cpu"]
    one, two = (expand([*words, f"trainer.devices={count}"]).slots[0].cell for count in (1, 2))
    assert two.description["devices"] == 2
    assert "devices" not in one.description
