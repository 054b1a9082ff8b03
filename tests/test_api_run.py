"""``pruneexp.run``: a sweep from Python, and its cells as a data frame."""

import inspect
import json
import signal
from pathlib import Path
from typing import Any

import matplotlib
import pytest

import pruneexp
from pruneexp.errors import UserError
from tests.command import SMALL, STEM, TABLES

SWEEP = [*SMALL, "seed=0,1", "masker=greedy", "densities=[1.0,0.2]"]
EXPERIMENT = (
    "# @package _global_\ndefaults:\n  - override /recipe: smoke\nname: {}\ndensities: [{}]\n"
    "hydra:\n  sweeper:\n    params:\n      masker: greedy\n      seed: 0\n"
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that this process is in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def records(folder: Path) -> dict[str, dict[str, Any]]:
    return {path.parent.name: json.loads(path.read_text()) for path in folder.glob("results/runs/*/record.json")}


def test_a_row_for_each_cell_and_again_without_training(
    folder: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backend = matplotlib.get_backend()
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    found = pruneexp.run([*SWEEP, f"data_dir={data}"])
    assert found.columns[0] == "experiment"
    assert list(found.index) == [0, 1, 2, 3]
    assert set(found["experiment"]) == {"quickstart"}
    assert [tuple(row) for row in found[["masker", "asked_density", "seed"]].itertuples(index=False)] == [
        ("dense", 1.0, 0), ("greedy", 0.2, 0), ("dense", 1.0, 1), ("greedy", 0.2, 1),
    ]  # fmt: skip
    told = records(folder)
    assert sorted(map(float, found["accuracy"])) == sorted(float(str(record["accuracy"])) for record in told.values())
    assert "accuracy" in capsys.readouterr().out
    assert (folder / TABLES / f"{STEM}.csv").exists()

    stamps = {path: path.stat().st_mtime_ns for path in folder.glob("results/runs/*/*.json")}
    for more in ([], ["mode=report"]):
        again = pruneexp.run([*SWEEP, f"data_dir={data}", *more])
        assert again.equals(found)
        assert "cell 1 of" not in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in folder.glob("results/runs/*/*.json")} == stamps
    assert matplotlib.get_backend() == backend
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert inspect.isfunction(pruneexp.run)


def test_two_experiments_are_told_apart(folder: Path, data: Path) -> None:
    (folder / "mine/experiment").mkdir(parents=True)
    for name, densities in (("first", "0.5, 0.25"), ("second", "0.25")):
        (folder / f"mine/experiment/{name}.yaml").write_text(EXPERIMENT.format(name, densities))
    words = ["+experiment=first,second", *SMALL, f"data_dir={data}"]
    found = pruneexp.run(words, config_dir="mine")
    assert [tuple(row) for row in found[["experiment", "asked_density"]].itertuples(index=False)] == [
        ("first", 0.5), ("first", 0.25), ("second", 0.25),
    ]  # fmt: skip
    assert found["accuracy"][1] == found["accuracy"][2]  # one cell
    assert len(records(folder)) == 2
    assert pruneexp.run([*words, "mode=report"], "mine").equals(found)
    assert {path.stem for path in folder.glob(f"{TABLES}/*.csv")} == {
        f"{name}-{STEM.removeprefix('quickstart-recipe=smoke+')}" for name in ("first", "second")
    }  # the experiments' own recipe is smoke


def test_a_configuration_of_ones_own(folder: Path, data: Path) -> None:
    (folder / "mine").mkdir()
    (folder / "mine/own.yaml").write_text(
        "defaults:\n  - config\n  - _self_\nname: own\ndensities: [0.5]\nhydra:\n  sweeper:\n    params:\n"
        "      masker: greedy\n      seed: 6\n"
    )
    found = pruneexp.run([*SMALL, f"data_dir={data}"], config_dir=str(folder / "mine"), config_name="own")
    assert [tuple(row) for row in found[["experiment", "masker", "asked_density", "seed"]].itertuples(index=False)] == [
        ("own", "greedy", 0.5, 6)
    ]


def test_cells_that_cannot_be_made_have_no_row(folder: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = pruneexp.run([*SMALL, "seed=0", "masker=bss,greedy", "densities=[0.004]", f"data_dir={data}"])
    assert list(found["masker"]) == ["greedy"]
    assert "pruneexp: 1 of 2 cells could not be made: digits vgg_small magnitude bss" in capsys.readouterr().err


def test_a_sweep_of_which_nothing_can_be_made_is_an_empty_frame(folder: Path, data: Path) -> None:
    found = pruneexp.run([*SMALL, "seed=0", "masker=bss", "densities=[0.004]", f"data_dir={data}"])
    assert len(found) == 0
    assert list(found.columns)[:1] == ["experiment"]


@pytest.mark.parametrize("mode", ["plan", "status", "check"])
def test_other_modes_have_no_rows(folder: Path, data: Path, mode: str) -> None:
    (folder / "results/runs").mkdir(parents=True)
    with pytest.raises(UserError, match=f"mode={mode} prints something and has no rows"):
        pruneexp.run([*SWEEP, f"mode={mode}", f"data_dir={data}"])
    assert records(folder) == {}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["masker=sparsfy"], "Did you mean 'sparsify'"),
        (["densities=[0]"], "above 0 and at most 1"),
        (["densities=[0.1"], "cannot be read"),
        (["mode=report", "seed=0"], "is recorded"),
        (["mode=train"], "mode must be"),
        (["+experiment=none"], "there is no experiment 'none'"),
    ],
)
def test_mistakes_are_user_errors(folder: Path, words: list[str], told: str) -> None:
    with pytest.raises(UserError, match=told):
        pruneexp.run(words)
    assert list(folder.iterdir()) == []
    assert callable(pruneexp.run)


def test_a_folder_that_is_none(folder: Path) -> None:
    with pytest.raises(UserError, match="nowhere is no folder"):
        pruneexp.run(["seed=0"], config_dir="nowhere")


def test_ctrl_c_is_a_keyboard_interrupt(folder: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pruneexp.training.step import Step

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(Step, "__call__", lambda *_: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        pruneexp.run([*SWEEP, f"data_dir={data}"])
    assert records(folder) == {}
    assert signal.getsignal(signal.SIGINT) is before
