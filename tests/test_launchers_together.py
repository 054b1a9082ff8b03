"""Cells trained side by side are those of single runs, whatever launcher their process has."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.command import SMALL, in_fork, with_workers
from tests.test_slurm_launcher import FalseSlurm

MODULE = """
import torch


def broken(model, batches, generator):
    raise TypeError("no shape for this")


def exploding(model, batches, generator):
    scores = {name: weight.detach().abs() for name, weight in model.named_parameters() if weight.ndim > 1}
    list(model.parameters())[-1].data.fill_(torch.nan)  # its training diverges at once
    return scores
"""
LAUNCHERS = {
    "gpus": ("launcher.devices=1",),
    "slurm_local": ("launcher.parallel=1",),
    "slurm": ("launcher.gpus_per_node=0", "launcher.poll_seconds=0.2", "launcher.lost_seconds=300"),
}


SWEEP = (*SMALL, "seed=0", "scorer=magnitude,exploding,broken,l2", "masker=greedy", "densities=[0.1]")


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a module and configurations of its scorers."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "scorer").mkdir()
    (folder / "unlike_scorers.py").write_text(MODULE)
    for name in ("broken", "exploding"):
        (folder / f"scorer/{name}.yaml").write_text(f"name: {name}\n_target_: unlike_scorers.{name}\n_partial_: true\n")
    return folder


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, mine: Path, data: Path) -> Path:
    """The results of single runs."""
    folder = tmp_path_factory.mktemp("alone")
    words = (*SWEEP, f"data_dir={data}", f"hydra.searchpath=[file://{mine}]", "results_dir=alone")
    assert in_fork(folder, *words, before=lambda: sys.path.insert(0, str(mine))).code == 1
    return folder / "alone"


def records(folder: Path) -> dict[str, dict[str, Any]]:
    return {path.parent.name: json.loads(path.read_text()) for path in folder.glob("*/record.json")}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_cell_that_diverges_or_fails_leaves_those_beside_it_alone(
    tmp_path: Path,
    mine: Path,
    alone: Path,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    launcher: str,
) -> None:
    FalseSlurm(tmp_path / "bin").runs()
    run = with_workers(tmp_path, monkeypatch, capsys, f"data_dir={data}", f"hydra.searchpath=[file://{mine}]")
    monkeypatch.syspath_prepend(str(mine))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([os.environ["PYTHONPATH"], str(mine)]))
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]]))
    done = run(*SWEEP, "results_dir=together", "trainer.members=4", f"launcher={launcher}", *LAUNCHERS[launcher])
    assert done.code == 1
    assert done.err.splitlines()[-1] == (
        "pruneexp: 1 of 4 cells could not be made: digits vgg_small broken greedy density 0.1 seed 0:"
        " TypeError: no shape for this"
    )
    single, together = records(alone), records(tmp_path / "together")
    assert single.keys() == together.keys()
    assert sorted((key.split("-")[2], record["diverged"]) for key, record in together.items()) == [
        ("exploding", True), ("l2", False), ("magnitude", False),
    ]  # fmt: skip
    for key, record in together.items():
        assert f"scorer={key.split('-')[2]} " in record["command"] + " "
        assert record["notes"].get("members") == 3
        assert "members" not in single[key]["notes"]
        assert all(record[name] == single[key][name] for name in ("accuracy", "loss", "train_loss", "epochs"))
        for file in ("masks.safetensors", "weights.safetensors"):
            assert (tmp_path / "together" / key / file).read_bytes() == (alone / key / file).read_bytes()
