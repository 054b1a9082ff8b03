"""A training that is interrupted goes on to the very numbers of one that is not."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import lightning
import pandas as pd
import pytest
import torch
from torch import nn

from pruneexp.errors import UserError
from pruneexp.network.initialise import initialise
from pruneexp.recipe import Recipe
from pruneexp.seeding import stream
from pruneexp.system.signals import Stopped, heeded
from pruneexp.training.about import About
from pruneexp.training.checkpoint import Checkpoint
from pruneexp.training.device import Device
from pruneexp.training.loggers import logging_to
from pruneexp.training.train import Trained, train
from scripts.kill_and_restart import without_seconds
from tests.command import TABLES, ended, files, in_process, started
from tests.helpers import at_forward_pass
from tests.training.test_train import CPU, random_masks, resident, small

RECIPE = Recipe(
    epochs=4, batch_size=16, lr=0.05, weight_decay=5e-3, schedule="cosine", frozen_epochs=1, flip=True, shift=2
)
IDENTITY = {"cell": "a", "precision": "float32"}


class Interrupted(Exception):  # noqa: N818
    """Stands for whatever ends a process."""


def interrupt() -> None:
    raise Interrupted


def run(
    network: nn.Module, *callbacks: Checkpoint, passes: int = 0, logs: Path | None = None, start: int = 0
) -> Trained:
    """Train; with `passes` interrupted at that forward pass (an epoch has five), with `logs` Lightning's CSV log there."""
    at_forward_pass(network, passes, interrupt)
    kind = {"name": "csv" if logs else "none"}
    with logging_to(kind, logs or Path(), About("cell", "cell", "group", "pruned")) as loggers:
        data = resident(RECIPE, validation=20)
        return train(network, random_masks(network), RECIPE, data, CPU, loggers, callbacks, start=start)


def checkpoint(
    path: Path,
    told: list[str] | None = None,
    identity: dict[str, str] = IDENTITY,
    device: str = "one",
    every: float = 1e-9,
) -> Checkpoint:
    """One that is written after every epoch, unless told otherwise."""
    return Checkpoint(path, identity, device, every, (told if told is not None else []).append)


def with_dropout() -> nn.Module:
    network = nn.Sequential(nn.Dropout(0.2), small())
    initialise(network, "kaiming_normal", stream(0, "initialisation"))
    return network


@pytest.mark.parametrize("make", [small, with_dropout])
def test_an_interrupted_training_ends_as_one_that_was_not(tmp_path: Path, make: Callable[[], nn.Module]) -> None:
    whole = make()
    expected = run(whole, logs=tmp_path / "whole")
    told: list[str] = []
    for passes in (2, 12, 7):  # in epoch 0; in epoch 2; from there on in epoch 3
        with pytest.raises(Interrupted):
            run(make(), checkpoint(tmp_path / "file", told), passes=passes)
    resumed = make()
    last = checkpoint(tmp_path / "file", told, device="two")
    found = run(resumed, last, logs=tmp_path / "resumed")
    assert told == ["goes on after epoch 2 of 4", "goes on after epoch 3 of 4"]
    assert found.history == expected.history
    assert (found.accuracy, found.loss) == (expected.accuracy, expected.loss)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    logs = [tmp_path / which / "csv" / "cell" / "metrics.csv" for which in ("whole", "resumed")]
    expected_log, found_log = (pd.read_csv(log) for log in logs)
    pd.testing.assert_frame_equal(found_log, expected_log, rtol=1e-6)  # Lightning logs float32
    assert last.devices == ["one", "two"]
    assert last.seconds_before > 0


def test_checkpoints_come_no_more_often_than_asked_for(tmp_path: Path) -> None:
    run(small(), checkpoint(tmp_path / "file", every=3600))
    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_a_checkpoint_and_a_whole_network(tmp_path: Path) -> None:
    network, told = small(), list[str]()
    with pytest.raises(Interrupted):
        run(network, checkpoint(tmp_path / "file", every=3600), passes=13)  # in epoch 2
    assert run(small(), checkpoint(tmp_path / "file", told, every=3600)).history == run(small()).history
    assert told == ["goes on after epoch 2 of 4"]
    counts = {int(value) for name, value in network.state_dict().items() if name.endswith("num_batches_tracked")}
    assert counts == {4}  # four batches of epoch 1; in epoch 0 all but the classifier was frozen


def test_an_error_after_the_last_epoch_costs_none(tmp_path: Path) -> None:
    told: list[str] = []
    with pytest.raises(Interrupted):
        run(small(), checkpoint(tmp_path / "file", every=3600), passes=21)  # in the test
    again = run(small(), checkpoint(tmp_path / "file", told, every=3600))
    assert again.accuracy == run(small()).accuracy
    assert told == ["goes on after epoch 4 of 4"]


def test_a_device_that_has_failed_is_no_other_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("the device is gone")

    told: list[str] = []
    monkeypatch.setattr(torch, "save", fails)
    with pytest.raises(Interrupted):
        run(small(), checkpoint(tmp_path / "file", told, every=3600), passes=13)
    assert told == [f"no checkpoint could be written to {tmp_path / 'file'} (the device is gone)"]


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """The checkpoint of an interrupted training."""
    with pytest.raises(Interrupted):
        run(small(), checkpoint(tmp_path / "file"), passes=12)
    return tmp_path / "file"


def starts_anew(path: Path, identity: dict[str, str] = IDENTITY) -> str:
    """What is told of a checkpoint that is left unused."""
    told: list[str] = []
    again = checkpoint(path, told, identity, every=3600)
    trained = run(small(), again)
    assert trained.history == run(small()).history
    assert again.seconds_before == 0
    return told[0]


@pytest.mark.parametrize("cut", [0, 20, 1000])
def test_a_truncated_checkpoint_is_left_unused(left: Path, cut: int) -> None:
    left.write_bytes(left.read_bytes()[:cut])
    assert "is damaged; starting anew" in starts_anew(left)


def test_a_checkpoint_with_one_wrong_bit_is_left_unused(left: Path) -> None:
    content = bytearray(left.read_bytes())
    content[len(content) // 2] ^= 1
    left.write_bytes(content)
    assert "is damaged; starting anew" in starts_anew(left)


def test_another_trainings_checkpoint_is_left_unused(left: Path) -> None:
    told = starts_anew(left, {"cell": "b", "precision": "bf16"})
    assert "is of another cell and precision; starting anew" in told


def test_a_checkpoint_that_cannot_be_read_is_left_unused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert "cannot be read" in starts_anew(tmp_path / "folder")


def test_a_checkpoint_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    assert len(run(small(), checkpoint(tmp_path / "missing" / "file", told)).history) == RECIPE.epochs
    assert "no checkpoint could be written" in told[0]


@pytest.mark.parametrize("seconds", [-1, float("nan"), "often"])
def test_a_time_between_checkpoints_that_is_none(seconds: float) -> None:
    with pytest.raises(UserError, match=r"Device's checkpoint_seconds must be a finite number"):
        Device("cpu", checkpoint_seconds=seconds)


# a signal leaves the state of the last epoch's end, however long ago the last checkpoint was


def signalled(
    network: nn.Module, path: Path, told: list[str], passes: int = 0, number: int = signal.SIGTERM
) -> Trained:
    """Train with a checkpoint every hour; with `passes` this process is sent the signal at that forward pass."""
    at_forward_pass(network, passes, lambda: os.kill(os.getpid(), number))
    with heeded():
        return run(network, checkpoint(path, told, every=3600))


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    ("passes", "epoch"), [(7, 1), (10, 1), (11, 2), (12, 2), (20, 3), (21, 4)]
)  # an epoch has five, the last of them the validation; the 21st is the test
def test_a_signal_loses_nothing_but_the_epoch_under_way(tmp_path: Path, passes: int, epoch: int, number: int) -> None:
    whole, resumed = with_dropout(), with_dropout()
    expected = run(whole)
    told: list[str] = []
    with pytest.raises(Stopped) as stopped:
        signalled(with_dropout(), tmp_path / "file", told, passes, number)
    assert stopped.value.number == number
    assert told == []
    found = signalled(resumed, tmp_path / "file", told)
    assert told == [f"goes on after epoch {epoch} of 4"]
    assert found.history == expected.history
    assert (found.accuracy, found.loss) == (expected.accuracy, expected.loss)
    assert same(resumed, whole)


def test_a_training_signalled_again_and_again_ends_as_one_that_was_not(tmp_path: Path) -> None:
    whole, resumed = small(), small()
    expected = run(whole)
    told: list[str] = []
    for passes in (
        3,
        8,
        2,
        7,
        8,
        1,
    ):  # before the first epoch's end, in the second, at once, in the third, in the fourth, testing
        with pytest.raises(Stopped):
            signalled(small(), tmp_path / "file", told, passes)
    found = signalled(resumed, tmp_path / "file", told)
    assert told == [f"goes on after epoch {epoch} of 4" for epoch in (1, 1, 2, 3, 3)]
    assert found.history == expected.history
    assert same(resumed, whole)


def test_a_signal_in_the_first_epoch_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        signalled(small(), tmp_path / "file", [], passes=3)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_does_not_hold_up_a_signal(tmp_path: Path) -> None:
    told: list[str] = []
    with pytest.raises(Stopped):
        signalled(small(), tmp_path / "missing" / "file", told, passes=12)
    assert len(told) == 1
    assert "no checkpoint could be written" in told[0]


class Signals(lightning.Callback):
    """Has the first process send its parent a signal, in an epoch or after the last, and wait for what becomes of it."""

    def __init__(self, epoch: int) -> None:
        self.epoch, self.parent = epoch, os.getpid()

    def on_train_batch_start(self, trainer: lightning.Trainer, *_: object) -> None:
        if trainer.is_global_zero and trainer.current_epoch == self.epoch:
            self.send()

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if trainer.is_global_zero and self.epoch == trainer.max_epochs:
            self.send()

    def send(self) -> None:
        os.kill(self.parent, signal.SIGTERM)
        time.sleep(60)


@pytest.mark.parametrize("epoch", [2, 4])
def test_a_signal_to_a_training_on_two_devices(tmp_path: Path, epoch: int) -> None:
    def trained(network: nn.Module, *callbacks: lightning.Callback) -> Trained:
        data = resident(RECIPE, validation=20)
        with heeded():
            return train(network, random_masks(network), RECIPE, data, Device("cpu", devices=2), (), callbacks)

    def hourly(told: Callable[[str], None]) -> Checkpoint:
        return Checkpoint(tmp_path / "file", IDENTITY, "one", 3600, told)

    whole, resumed = small(), small()
    expected = trained(whole)
    start = time.monotonic()
    with pytest.raises(Stopped):
        trained(small(), hourly(print), Signals(epoch))
    assert time.monotonic() - start < 50
    assert (tmp_path / "file").exists()
    found = trained(resumed, hourly(print))
    assert found.history == expected.history
    assert (found.accuracy, found.loss) == (expected.accuracy, expected.loss)
    assert same(resumed, whole)


# the command, killed


ARGUMENTS = (
    "recipe=smoke", "recipe.epochs=12", "recipe.train_images=128", "seed=0", "masker=greedy", "densities=[1.0]", "logger=none",
    "trainer.threads=1",
)  # fmt: skip


def kill_after_first_checkpoint(folder: Path, *arguments: str) -> None:
    """Run the command in `folder` and kill it -9 as soon as a cell has a checkpoint."""
    texts = folder.with_name("texts")
    texts.mkdir()
    process = started(folder, texts, *arguments)
    while not list((folder / "results" / "runs").glob(".*.checkpoint")):
        assert os.waitpid(process, os.WNOHANG) == (0, 0)
        time.sleep(0.01)
    os.killpg(process, signal.SIGKILL)
    assert ended(process, texts).code == -signal.SIGKILL


def test_a_cell_killed_in_the_middle_ends_as_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    killed.mkdir()
    whole.mkdir()
    arguments = (*ARGUMENTS, f"data_dir={tmp_path / 'data'}")
    assert in_process(whole, monkeypatch, capsys, *arguments, "trainer.checkpoint_seconds=0").code == 0
    kill_after_first_checkpoint(killed, *arguments, "trainer.checkpoint_seconds=0.05")
    assert not list(killed.glob("results/runs/*/record.json"))
    outcome = in_process(killed, monkeypatch, capsys, *arguments, "trainer.checkpoint_seconds=0.05")
    assert outcome.code == 0, outcome.err
    assert "goes on after epoch" in outcome.out
    assert files(killed) == files(whole)
    for path in whole.glob("results/runs/*-*/*"):
        other = killed / path.relative_to(whole)
        if path.name != "record.json":
            assert path.read_bytes() == other.read_bytes(), path.name
    tables = [next(folder.glob(f"{TABLES}/*.csv")) for folder in (whole, killed)]
    assert without_seconds(tables[0]) == without_seconds(tables[1])
