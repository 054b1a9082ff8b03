"""Iterative magnitude pruning: trained, pruned a little, rewound and trained again, level by level."""

import copy
import itertools
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

from pruneexp.artifacts import Artifacts
from pruneexp.levels import EPOCHS, MASK
from pruneexp.network.compaction import restore
from pruneexp.network.masks import Masks, load_masks
from pruneexp.network.prunable import prunable
from pruneexp.records.store import Store
from pruneexp.sweep import expand
from pruneexp.system.files import read_sealed
from pruneexp.training.train import Trained, train, train_together
from tests.command import SMALL, Outcome, ended, files, in_fork, in_process, refused, started

State = dict[str, torch.Tensor]
Command = Callable[..., Outcome]
RUNS = Path("results") / "runs"
TINY = (
    *SMALL,
    "recipe.epochs=3",
    "recipe.milestones=[2]",
    "seed=0",
    "scorer=magnitude",
    "model=vgg_small",
    "when=trained",
)
REWINDS = {"init": ("rewind=init",), "epoch": ("rewind=epoch", "rewind_epoch=1"), "none": ("rewind=none",)}
KINDS = {
    **{f"rewind={name}": ("masker=greedy_global", *words) for name, words in REWINDS.items()},
    "a masker that draws": ("masker=sparsify", "rewind=init"),
    "some layers": (
        "masker=greedy", "allocation=erk", "exclude=[Linear]", "scorer=l2", "biases=frozen", "dataset.validation=20",
        "select=best_validation",
    ),
}  # fmt: skip
THREE, TWO = ("levels=3", "densities=[0.512]"), ("levels=2", "densities=[0.64]")  # the first two levels are the same


@dataclass
class Left:
    """What a level leaves, an artifact or a cell: all numbers of the network, its masks, the epochs behind it."""

    state: State
    masks: Masks
    epochs: int

    def same(self, other: "Left") -> bool:
        return self.epochs == other.epochs and _same(self.state, other.state) and _same(self.masks, other.masks)


def _same(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def left_in(path: Path) -> Left:
    there = safetensors.torch.load(read_sealed(path))
    masks = {name.removeprefix(MASK): there.pop(name) for name in list(there) if name.startswith(MASK)}
    return Left(there, masks, int(there.pop(EPOCHS)))


def artifacts(folder: Path) -> list[Left]:
    """Of the folder's levels, the first first."""
    found = map(left_in, (folder / RUNS / ".artifacts").glob("level-*"))
    return sorted(found, key=lambda left: -count(left.masks))


def cell(folder: Path, density: float) -> Left:
    """The folder's only cell of this density."""
    (path,) = (folder / RUNS).glob(f"*-d{density:g}-s0-*/record.json")
    masks = load_masks(path.parent / "masks.safetensors")
    state = restore(safetensors.torch.load_file(path.parent / "weights.safetensors"), masks if density < 1 else {})
    return Left(state, masks, record(path)["total_epochs"])


def record(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def count(masks: Masks) -> int:
    return sum(int(mask.sum()) for mask in masks.values())


def made(folder: Path, *words: str) -> Path:
    folder.mkdir(exist_ok=True)
    done = in_fork(folder, *TINY, *words)
    assert done.code == 0, done.err
    return folder


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return KINDS[request.param]


@pytest.fixture(scope="module")
def deep(kind: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a cell of three levels was made."""
    return made(tmp_path_factory.mktemp("deep"), *kind, *THREE)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def command(*arguments: str) -> Outcome:
        ran = in_process(tmp_path, monkeypatch, capsys, *TINY, *arguments)
        assert ran.code == 0, ran.err
        return ran

    return command


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of weights on which levels were trained that were no cells."""
    found: list[int] = []

    def spying(trainees: Any, *means: Any) -> list[Trained]:
        found.extend(count(one.masks) for one in trainees)
        return train_together(trainees, *means)

    monkeypatch.setattr("pruneexp.levels.train_together", spying)
    return found


def test_masks_are_nested_and_counts_are_those_of_the_densities(deep: Path, kind: tuple[str, ...]) -> None:
    levels = artifacts(deep)
    assert len(levels) == 3
    assert levels[-1].same(cell(deep, 0.512))
    pruned = {name for name in levels[0].masks if "exclude=[Linear]" not in kind or levels[0].masks[name].ndim == 4}
    total = sum(levels[0].masks[name].numel() for name in pruned)
    left = [{name: mask for name, mask in level.masks.items() if name in pruned} for level in levels]
    assert [count(masks) for masks in left] == [round(0.8**k * total) for k in (1, 2, 3)]
    assert all(bool(mask.all()) for level in levels for name, mask in level.masks.items() if name not in pruned)
    for earlier, later in itertools.pairwise(levels):
        assert not any(bool((later.masks[name] & ~mask).any()) for name, mask in earlier.masks.items())
    for level in levels:
        assert not any(bool(level.state[name][~mask].any()) for name, mask in level.masks.items())


def test_a_level_is_what_a_run_leaves_that_ends_with_it(
    deep: Path, kind: tuple[str, ...], tmp_path: Path, run: Command, trained: list[int]
) -> None:
    """Made in a folder of its own, and where the levels before it are there."""
    levels = artifacts(deep)
    alone, beside = made(tmp_path / "alone", *kind, *TWO), tmp_path
    assert [one.same(other) for one, other in zip(artifacts(alone), levels, strict=False)] == [True, True]
    assert cell(alone, 0.64).same(levels[1])
    shutil.copytree(deep / RUNS, beside / RUNS)
    run(*kind, *TWO, f"data_dir={deep / 'data'}")
    assert trained == []
    assert cell(beside, 0.64).same(levels[1])
    first = made(tmp_path / "first", *kind, "densities=[0.8]")
    assert cell(first, 0.8).same(levels[0])
    assert artifacts(first) == []


@pytest.mark.parametrize("rewind", REWINDS)
def test_levels_are_those_of_a_loop_by_hand(rewind: str, tmp_path: Path) -> None:
    words = [*TINY, *REWINDS[rewind], "masker=greedy_global", *THREE]
    folder = made(tmp_path / "made", *words)
    (job,) = expand([*words, f"data_dir={folder / 'data'}"]).jobs
    shared, first = Artifacts(job, Store(str(tmp_path / "none"))), 1 if rewind == "epoch" else 0

    def trained_by(network: nn.Module, masks: Masks, epochs: int = 3, start: int = 0) -> nn.Module:
        train(network.train(), masks, shared.recipe, shared.data, shared.device, epochs=epochs, start=start)
        return network

    initial, masks, expected = shared.initial, Masks(), list[State]()
    network = trained_by(copy.deepcopy(initial), {})
    back = trained_by(copy.deepcopy(initial), {}, epochs=first) if first else initial
    total = sum(weight.numel() for weight in prunable(initial).values())
    for share in (0.8, 0.64, 0.512):
        weights = prunable(network)
        size = torch.cat([weight.detach().abs().ravel() for weight in weights.values()])
        kept = torch.zeros(total, dtype=torch.bool)
        kept[size.topk(round(share * total)).indices] = True
        parts = kept.split([weight.numel() for weight in weights.values()])
        masks = {name: part.view(weights[name].shape) for name, part in zip(weights, parts, strict=True)}
        network = trained_by(copy.deepcopy(network if rewind == "none" else back), masks, start=first)
        expected.append(dict(copy.deepcopy(network).state_dict()))
    found = artifacts(folder)
    assert found[-1].same(cell(folder, 0.512))
    assert all(_same(level.state, state) for level, state in zip(found, expected, strict=True))
    assert _same(found[-1].masks, masks)
    assert [level.epochs for level in found] == [3 + k * (3 - first) for k in (1, 2, 3)]


def test_jobs_of_one_rate_share_their_levels(tmp_path: Path, run: Command, trained: list[int]) -> None:
    words = ("masker=greedy_global", "treatment=shuffle")
    told = run(*words, "levels=3", "densities=[0.512]").out
    assert re.findall(r"level (\d) of 3: accuracy", told) == ["1", "2"]
    run("masker=greedy_global", "levels=4", "densities=[0.4096,0.64]")
    total = cell(tmp_path, 1).masks.values()
    size = sum(mask.numel() for mask in total)
    quarters = [round(0.64 ** (k / 4) * size) for k in (1, 2, 3)]
    assert trained == [round(share * size) for share in (0.8, 0.64, 0.512)] + quarters


def test_what_a_cell_ends_with_deeper_ones_go_on_from(tmp_path: Path, run: Command, trained: list[int]) -> None:
    run("masker=greedy_global", "levels=2", "densities=[0.64]")
    first = list(trained)
    run("masker=greedy_global", "levels=3", "densities=[0.512]")
    assert len(first) == 1
    assert trained == first
    assert made(tmp_path / "fresh", "masker=greedy_global", "levels=3", "densities=[0.512]")
    assert cell(tmp_path, 0.512).same(cell(tmp_path / "fresh", 0.512))


def test_treatments_of_masks_and_weights_come_after_the_last_level(
    tmp_path: Path, run: Command, trained: list[int]
) -> None:
    words = ("masker=greedy", *TWO)
    run(*words)
    plain, (level, _) = cell(tmp_path, 0.64), artifacts(tmp_path)
    shutil.rmtree(next((tmp_path / RUNS).glob("*-d0.64-*")))
    run(*words, "treatment=[shuffle,reinit]")
    treated = cell(tmp_path, 0.64)
    assert len(trained) == 1
    assert [int(mask.sum()) for mask in treated.masks.values()] == [int(mask.sum()) for mask in plain.masks.values()]
    assert any(bool((mask & ~level.masks[name]).any()) for name, mask in treated.masks.items())
    shutil.rmtree(next((tmp_path / RUNS).glob("*-d0.64-*")))
    run(*words, "treatment=invert")  # of scores: it is part of each level
    assert len(trained) == 2


def test_a_damaged_level_is_made_again(tmp_path: Path, run: Command, trained: list[int]) -> None:
    run("masker=greedy", *TWO)
    plain = cell(tmp_path, 0.64)
    path = max((tmp_path / RUNS / ".artifacts").iterdir(), key=lambda one: count(left_in(one).masks))
    path.write_bytes(path.read_bytes()[:-1])
    shutil.rmtree(next((tmp_path / RUNS).glob("*-d0.64-*")))
    assert f"{path.name}: cannot be used" in run("masker=greedy", *TWO).out
    assert len(trained) == 2
    assert cell(tmp_path, 0.64).same(plain)


# killed


LONG = (
    *TINY,
    "recipe.epochs=12",
    "trainer.checkpoint_seconds=0.01",
    "masker=greedy_global",
    "rewind=epoch",
    "rewind_epoch=1",
    *THREE,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    assert in_fork(folder, *LONG).code == 0
    return folder


@pytest.mark.parametrize(
    ("sign", "first", "goes_on"),
    [
        (".level-*.checkpoint", 1, "level 1 of 3"),
        (".artifacts/level-*", 2, ""),
        (".digits-*-d0.512-*.checkpoint", 3, "seed 0"),
    ],
    ids=["inside a level", "between levels", "after them"],
)
def test_killed_and_started_again_it_ends_as_if_it_had_not_been(
    sign: str,
    first: int,
    goes_on: str,
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, texts = tmp_path / "killed", tmp_path / "texts"
    folder.mkdir()
    texts.mkdir()
    process = started(folder, texts, *LONG)
    while not list((folder / RUNS).glob(sign)):
        assert os.waitpid(process, os.WNOHANG) == (0, 0)
        time.sleep(0.002)
    os.killpg(process, signal.SIGKILL)
    assert ended(process, texts).code == -signal.SIGKILL
    assert not list((folder / RUNS).glob("digits-*-d0.512-*"))
    done = in_process(folder, monkeypatch, capsys, *LONG)
    assert done.code == 0, done.err
    assert re.findall(r"level (\d) of 3: accuracy", done.out) == ["1", "2"][first - 1 :]
    assert not goes_on or re.search(rf"{goes_on}: goes on after epoch \d+ of 12", done.out)
    assert files(folder) == files(whole)
    kept = [path for path in whole.glob("results/runs/*-*/*") if path.name != "record.json"]
    for path in (*kept, *(whole / RUNS / ".artifacts").iterdir()):
        assert path.read_bytes() == (folder / path.relative_to(whole)).read_bytes(), path.name


def test_processes_at_once_make_each_level_once(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    shutil.copytree(whole / "data", folder / "data")
    children = {}
    for words in (THREE, TWO):
        texts = tmp_path / words[0]
        texts.mkdir()
        children[started(folder, texts, *LONG[:-2], *words)] = texts
    told = [ended(child, texts) for child, texts in children.items()]
    assert [done.code for done in told] == [0, 0], told
    found = re.findall(r"level (\d) of \d: accuracy", "".join(done.out for done in told))
    assert sorted(found) in (["1"], ["1", "2"])  # the second may be the other's cell, already there
    assert all(one.same(other) for one, other in zip(artifacts(folder), artifacts(whole), strict=True))
    assert cell(folder, 0.512).same(cell(whole, 0.512))
    assert cell(folder, 0.64).same(artifacts(whole)[1])


# what is told


@pytest.mark.parametrize(
    ("words", "epochs"),
    [
        (("when=init",), 3),
        (("rewind=init",), 6),
        (("rewind=none",), 6),
        (("rewind=epoch", "rewind_epoch=1"), 5),
        (("masker=erk", "rewind=epoch", "rewind_epoch=1"), 3),
        (("masker=erk", "rewind=none"), 6),
        (("rewind=epoch", "rewind_epoch=2", "levels=2"), 5),
    ],
)
def test_all_epochs_are_counted(words: tuple[str, ...], epochs: int, tmp_path: Path, run: Command) -> None:
    shown = run("masker=greedy", "densities=[1.0,0.1]", *words, "columns=[n,total_epochs]").out
    assert (cell(tmp_path, 1).epochs, cell(tmp_path, 0.1).epochs) == (3, epochs)
    head, _, *rows = [[cell.strip() for cell in line.split("|")] for line in shown.splitlines() if line.startswith("|")]
    assert [row[head.index("epochs in all")] for row in rows] == ["3", str(epochs)]


def test_the_plan_counts_levels(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pruneexp.planning.timed.epoch_seconds", lambda *_: 15.0)
    out = run("masker=greedy", "levels=1,4", "rewind=epoch", "rewind_epoch=1", "densities=[1.0,0.1]", "mode=plan").out
    rows = [row for row in out.splitlines() if "greedy" in row or "dense" in row]
    assert [row.split("|")[-2].strip() for row in rows] == ["45 s", "30 s", "2 min"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("when=init",), "levels=3 trains before each pruning, and when=init prunes once before training: set when=trained."),
        (("masker=erk",), "levels=3 goes by the scores of trained networks, and masker=erk looks at none: choose another masker"),
        (("masker=structured",), "masker=structured removes neurons at once, and levels=3 prunes bit by bit: set levels=1."),
        (("masker=random", "allocation=erk"), "levels=3 goes by the scores of trained networks"),
        (("mask_update=set",), "mask_update=set changes masks while a network trains, and levels=3 between trainings"),
        (("rounds=2",), "levels=3 scores and masks once a level, and rounds=2 more often: set one of them to 1."),
        (("treatment=shuffle", "rewind=none"), "treatment=shuffle may bring back weights whose trained values earlier levels"),
        (("levels=0",), "levels must be a whole number, at least 1, got 0"),
        (("densities=[0.00001]",), "density 1e-05 keeps"),
        (("levels=100000",), "levels=100000 at density 0.512 prunes nothing at level"),
    ],
)  # fmt: skip
def test_levels_that_cannot_be_are_refused_in_one_sentence(
    words: tuple[str, ...],
    sentence: str,
    tmp_path: Path,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = (*TINY, "masker=greedy", *THREE, f"data_dir={data}", *words)
    refused(in_process(tmp_path, monkeypatch, capsys, *arguments), sentence, tmp_path)
