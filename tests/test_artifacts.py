"""Pruning after training: one dense network for all cells, and the weights that training starts from."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import safetensors.torch
import torch
from torch import nn

from pruneexp.network.masks import Masks, load_masks
from pruneexp.planning.recorded import whole_training
from pruneexp.pruning.scoring import score
from pruneexp.training.train import Trained, Trainee, train, train_together
from tests.command import SMALL, Outcome, in_process
from tests.test_structured_cells import MODEL
from tests.training.test_selection import scripted

State = dict[str, torch.Tensor]
Command = Callable[..., Outcome]
TINY = (*SMALL, "recipe.epochs=2", "seed=0", "scorer=magnitude", *MODEL)
NETWORK_WIDE = (*TINY, "masker=greedy_global", "densities=[0.1]", "when=trained")


@dataclass
class Spy:
    """Every training: the weights and the epoch it starts from, its masks, and for how many epochs it goes."""

    starts: list[State] = field(default_factory=list)
    masks: list[Masks] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    epochs: list[int | None] = field(default_factory=list)  # None: all of the recipe's

    def train(self, network: nn.Module, masks: Masks, *means: Any, **options: Any) -> Trained:
        self._note(network, masks, 0, options["epochs"])
        return train(network, masks, *means, **options)

    def train_together(self, trainees: list[Trainee], *means: Any) -> list[Trained]:
        for one in trainees:
            self._note(one.network, one.masks, one.start, None)
        return train_together(trainees, *means)

    def _note(self, network: nn.Module, masks: Masks, first: int, epochs: int | None) -> None:
        self.starts.append({name: value.detach().clone() for name, value in network.state_dict().items()})
        self.masks.append(masks)
        self.first.append(first)
        self.epochs.append(epochs)

    @property
    def dense(self) -> list[int]:
        """Trainings of the whole network from start to end."""
        return [k for k, masks in enumerate(self.masks) if not masks and self.epochs[k] is None]


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    found = Spy()
    monkeypatch.setattr("pruneexp.trials.train_together", found.train_together)
    monkeypatch.setattr("pruneexp.artifacts.train", found.train)
    return found


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """``run(overrides...)``: the command in this process, in a folder of its own."""

    def command(*arguments: str) -> Outcome:
        ran = in_process(tmp_path, monkeypatch, capsys, *arguments)
        assert ran.code == 0, ran.err
        return ran

    return command


def folders(tmp_path: Path, kind: str) -> list[Path]:
    return sorted(path.parent for path in (tmp_path / "results" / "runs").glob(f"*-{kind}-d*/record.json"))


def trained_weights(tmp_path: Path) -> State:
    (dense,) = folders(tmp_path, "dense-dense")
    return safetensors.torch.load_file(dense / "weights.safetensors")


def same(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_dense_network_is_trained_once_for_all_cells_that_need_it(tmp_path: Path, run: Command, spy: Spy) -> None:
    few = (*TINY, "recipe.epochs=1", "when=trained", "masker=greedy_global,greedy")
    run(*few, "densities=[0.1]", "rewind=init,none")
    assert len(spy.starts) == 1 + 2 * 2
    assert spy.dense == [0]
    assert len(folders(tmp_path, "dense-dense")) == 1
    pruned = folders(tmp_path, "magnitude-greedy")
    assert len(pruned) == 4
    described = [json.loads((path / "record.json").read_text())["description"] for path in pruned]
    assert all(found["when"] == "trained" for found in described)
    assert sorted(found.get("rewind", "init") for found in described) == ["init", "init", "none", "none"]


@pytest.mark.parametrize("rewind", ["init", "none"])
def test_masks_come_from_the_trained_weights_and_training_starts_from_those_asked_for(
    rewind: str, tmp_path: Path, run: Command, spy: Spy
) -> None:
    run(*NETWORK_WIDE, f"rewind={rewind}")
    assert spy.dense == [0]
    initial, start = spy.starts
    trained = trained_weights(tmp_path)
    assert not same(initial, trained)
    assert same(start, initial if rewind == "init" else trained)
    masks = spy.masks[1]
    (folder,) = folders(tmp_path, "magnitude-greedy")
    assert same(load_masks(folder / "masks.safetensors"), masks)
    every = torch.cat([trained[name].abs().ravel() for name in masks])
    kept = torch.cat([mask.ravel() for mask in masks.values()])
    assert int(kept.sum()) == round(0.1 * len(every))
    assert every[kept].min() >= every[~kept].max()


def test_rewinding_to_an_epoch_goes_on_from_the_weights_after_it(tmp_path: Path, run: Command, spy: Spy) -> None:
    three = (*NETWORK_WIDE, "recipe.epochs=3", "recipe.milestones=[2]", "rewind=epoch")
    run(*three, "rewind_epoch=1")
    assert spy.epochs == [None, None]  # they came out of the dense training
    assert spy.first == [0, 1]
    assert not same(spy.starts[1], spy.starts[0])
    assert not same(spy.starts[1], trained_weights(tmp_path))
    (folder,) = folders(tmp_path, "magnitude-greedy")
    assert json.loads((folder / "record.json").read_text())["epochs"] == 2
    rows = pd.read_csv(folder / "history.csv")
    assert rows["epoch"].tolist() == [1, 2]
    assert rows["learning_rate"].tolist() == pytest.approx([0.05, 0.005])
    # the dense network is there and has left none for this epoch: trained so far, once for all jobs
    run(*three, "rewind_epoch=2", "masker=greedy_global,greedy")
    assert spy.epochs == [None, None, 2, None, None]
    assert spy.first == [0, 1, 0, 2, 2]
    assert same(spy.starts[2], spy.starts[0])
    for start in spy.starts[3:]:
        assert not same(start, spy.starts[1])
        assert same(start, spy.starts[3])


def test_cells_that_go_on_from_different_epochs_are_trained_at_once(tmp_path: Path, run: Command, spy: Spy) -> None:
    run(*NETWORK_WIDE, "recipe.epochs=3", "rewind=epoch", "rewind_epoch=1,2", "trainer.members=2")
    assert spy.first == [0, 0, 1, 2]  # the dense one, the one of two epochs that it has not left, and the two
    pruned = [json.loads((path / "record.json").read_text()) for path in folders(tmp_path, "magnitude-greedy")]
    assert [record["notes"]["members"] for record in pruned] == [2, 2]
    assert {record["description"]["rewind_epoch"]: record["epochs"] for record in pruned} == {1: 2, 2: 1}


def test_the_plan_counts_the_epochs_that_are_left(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pruneexp.planning.timed.epoch_seconds", lambda *_: 15.0)
    sweep = (*NETWORK_WIDE, "recipe.epochs=4", "rewind=epoch", "rewind_epoch=1,3", "densities=[1.0,0.1]")
    rows = [row for row in run(*sweep, "mode=plan").out.splitlines() if "greedy" in row or "dense" in row]
    assert [row.split("|")[-2].strip() for row in rows] == ["1 min", "45 s", "15 s"]


def test_recorded_seconds_are_scaled_to_all_epochs() -> None:
    seconds = {"scoring": 5.0, "masking": 1.0, "training": 30.0, "measuring": 0.5}
    assert whole_training({"seconds": seconds, "epochs": 3}, 4) == 40
    assert whole_training({"seconds": seconds, "epochs": 4}, 4) == whole_training({"seconds": seconds}, 4) == 30


def test_a_network_rewound_out_of_the_dense_training_is_the_one_trained_so_far(
    tmp_path: Path, run: Command, spy: Spy
) -> None:
    rewound = (*NETWORK_WIDE, "rewind=epoch", "rewind_epoch=1")
    run(*rewound)
    shutil.rmtree(tmp_path / "results" / "runs" / ".artifacts")
    run(*rewound, "masker=greedy")
    assert spy.epochs == [None, None, 1, None]
    assert same(spy.starts[3], spy.starts[1])
    (path,) = (tmp_path / "results" / "runs" / ".artifacts").iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    ran = run(*rewound, "masker=sparsify")
    assert spy.epochs == [None, None, 1, None, 1, None]
    assert same(spy.starts[5], spy.starts[1])
    assert f"{path.name}: cannot be used" in ran.out


def test_early_stopping_does_not_change_the_weights_that_are_rewound_to(
    tmp_path: Path, run: Command, spy: Spy, monkeypatch: pytest.MonkeyPatch
) -> None:
    falling = [(1.0, 50.0 - epoch) for epoch in range(4)]
    scripted(monkeypatch, {0: falling})
    rewound = (*NETWORK_WIDE, "recipe.epochs=4", "dataset.validation=100", "rewind=epoch", "rewind_epoch=3")
    run(*rewound)
    assert spy.epochs == [None, None]  # out of the dense training, of four epochs
    run(*rewound, "patience=1", "select=best_validation")
    assert spy.epochs == [None, None, None, 3, None]  # which ended after two, and is made again
    assert spy.first == [0, 3, 0, 0, 3]
    assert same(spy.starts[4], spy.starts[1])
    records = [json.loads((path / "record.json").read_text()) for path in folders(tmp_path, "dense-dense")]
    assert sorted((record["epochs"], record["selected_epoch"]) for record in records) == [(2, 0), (4, 3)]


def test_scores_are_made_once_for_all_maskers_and_densities(
    tmp_path: Path, run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def counting(model: nn.Module, scorer: Any, batches: Any, seed: int, *more: Any) -> Any:
        asked.append(seed)
        return score(model, scorer, batches, seed, *more)

    monkeypatch.setattr("pruneexp.pruning.scoring.score", counting)
    sweep = (
        *SMALL,
        "scorer=snip",
        *MODEL,
        "densities=[0.2,0.1]",
        "masker=greedy_global,sparsify",
        "seed=0,1",
    )
    monkeypatch.setattr("pruneexp.artifacts.WORTH", 60.0)  # on a busy machine the usual second is soon over
    run(*sweep, "results_dir=alone")
    assert asked == [0, 1, 0, 1]  # too quick to be worth a file: each job makes its own
    assert not (tmp_path / "alone" / ".artifacts").exists()
    asked.clear()
    monkeypatch.setattr("pruneexp.artifacts.WORTH", 0.0)
    run(*sweep, "results_dir=shared")
    assert asked == [0, 1]
    alone, shared = (masks_in(tmp_path / folder) for folder in ("alone", "shared"))
    assert len(shared) == 8
    assert alone == shared
    records = [json.loads(path.read_text()) for path in (tmp_path / "shared").glob("*/record.json")]
    for seed in (0, 1):  # what they took is said of each cell that they were made for
        (took,) = {record["seconds"]["scoring"] for record in records if record["seed"] == seed}
        assert took > 0
    # scores turned round are others; so are those of the trained network
    asked.clear()
    run(*sweep, "results_dir=shared", "treatment=invert")
    assert asked == [0, 1]
    run(*sweep, "results_dir=shared", "treatment=shuffle")
    assert asked == [0, 1]
    run(*sweep, "results_dir=shared", "when=trained")
    assert asked == [0, 1, 0, 1]


def masks_in(folder: Path) -> dict[str, str]:
    """The digest of each cell's masks, by key."""
    records = [json.loads(path.read_text()) for path in folder.glob("*/record.json")]
    return {record["key"]: record["files"]["masks.safetensors"] for record in records}


def test_a_repaired_cell_has_its_notes_and_is_another_cell(tmp_path: Path, run: Command, spy: Spy) -> None:
    few = (*TINY, "recipe.epochs=1", "masker=greedy_global", "densities=[0.05]", "repair=none,paths")
    run(*few)
    records = [json.loads((path / "record.json").read_text()) for path in folders(tmp_path, "magnitude-greedy")]
    assert spy.dense == []  # nothing needs the dense network
    assert len(spy.starts) == 2
    plain, repaired = sorted(records, key=lambda record: "repair" in record["description"])
    assert not {"when", "rewind", "rewind_epoch", "repair", "rounds"} & plain["description"].keys()
    assert repaired["description"]["repair"] == "paths"
    assert plain["kept"] == repaired["kept"]
    assert {"moved", "wasted"} <= repaired["notes"].keys()
    assert "moved" not in plain["notes"]
    assert repaired["effective_density"] >= plain["effective_density"]


def test_damaged_weights_of_the_dense_network_are_named(
    tmp_path: Path, run: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = (*TINY, "recipe.epochs=1", "masker=greedy_global", "when=trained")
    run(*few, "densities=[1.0]")
    (dense,) = folders(tmp_path, "dense-dense")
    (dense / "weights.safetensors").write_bytes(b"not weights")
    ran = in_process(tmp_path, monkeypatch, capsys, *few, "densities=[0.1]")
    assert ran.code == 1
    assert "weights.safetensors is damaged (it has another digest than its record says): delete the folder" in ran.err
    assert dense.name in ran.err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["rewind=none"], "rewind=none needs when=trained"),
        (["rewind=epoch", "rewind_epoch=1"], "rewind=epoch needs when=trained"),
        (["when=trained", "rewind=epoch"], "rewind=epoch and rewind_epoch=K (K at least 1) go together"),
        (["when=trained", "rewind_epoch=2"], "rewind=epoch and rewind_epoch=K (K at least 1) go together"),
        (
            ["when=trained", "rewind=epoch", "rewind_epoch=2"],
            "rewind_epoch=2 leaves nothing of the recipe's 2 epochs to train: it must be less",
        ),
        (["rewind_epoch=-1"], "rewind_epoch must be a whole number, at least 0, got -1"),
        (["when=later"], "when must be init or trained, got 'later'"),
        (["when=trained", "rewind=start"], "rewind must be init, epoch or none, got 'start'"),
        (["rounds=0"], "rounds must be a whole number, at least 1, got 0"),
        (["round_masker=snip"], "round_masker must be masker or greedy, got 'snip'"),
        (["round_counts=half"], "round_counts must be nearest, up or down, got 'half'"),
        (["repair=trees"], "repair must be none or paths, got 'trees'"),
        (
            ["batchnorm_init=uniform", "weights=imagenet"],
            "batchnorm_init=uniform starts BatchNorm's weights, and weights=imagenet brings them: set batchnorm_init=ones",
        ),
    ],
)
def test_options_that_contradict_each_other_are_refused_in_one_sentence(
    options: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ran = in_process(tmp_path, monkeypatch, capsys, *TINY, "masker=greedy", "densities=[0.1]", *options)
    assert ran.code == 2
    assert ran.err.startswith("pruneexp: ")
    assert sentence in ran.err
    assert ran.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
