"""A snapshot is what a training of so many epochs ends with."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

import lightning
import pytest
import safetensors.torch
import torch
from torch import nn

from pruneexp.recipe import Recipe
from pruneexp.system import files
from pruneexp.training.device import Device
from pruneexp.training.processes import RankFailed
from pruneexp.training.snapshot import Snapshot
from pruneexp.training.train import Trained, train
from tests.helpers import diverging
from tests.training.test_checkpoint import Interrupted, checkpoint, with_dropout
from tests.training.test_train import CPU, random_masks, resident, small

RECIPE = Recipe(
    epochs=3, batch_size=16, lr=0.05, weight_decay=5e-3, schedule="cosine", frozen_epochs=1, flip=True, shift=2
)
TWO = Device("cpu", devices=2)


class Interrupt(lightning.Callback):
    """At the beginning of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if trainer.current_epoch == self.epoch:
            raise Interrupted


def run(
    network: nn.Module,
    *callbacks: lightning.Callback,
    device: Device = CPU,
    recipe: Recipe = RECIPE,
    epochs: int | None = None,
) -> Trained:
    data = resident(recipe, validation=20)
    return train(network, random_masks(network), recipe, data, device, callbacks=callbacks, epochs=epochs)


def append(path: Path, sentence: str) -> None:
    """What is told in any process."""
    with path.open("a") as file:
        file.write(f"{sentence}\n")


def is_state_after(path: Path, epochs: int, device: Device = CPU, make: Callable[[], nn.Module] = small) -> bool:
    """Whether the file holds just what a training of so many epochs ends with, bit for bit."""
    network = make()
    run(network, device=device, epochs=epochs)
    expected, found = network.state_dict(), safetensors.torch.load(files.read_sealed(path))
    return found.keys() == expected.keys() and all(
        found[name].dtype == value.dtype and torch.equal(found[name], value) for name, value in expected.items()
    )


@pytest.mark.parametrize("make", [small, with_dropout])
@pytest.mark.parametrize("after", [1, 2, 3])
def test_it_is_what_a_training_of_so_many_epochs_ends_with(
    tmp_path: Path, after: int, make: Callable[[], nn.Module]
) -> None:
    network, plain = make(), make()
    trained = run(network, Snapshot(after, tmp_path / "file", pytest.fail))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert is_state_after(tmp_path / "file", after, make=make)
    assert trained.history == run(plain).history  # which it does not disturb
    assert all(
        torch.equal(a, b) for a, b in zip(network.state_dict().values(), plain.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize("after", [2, 3])
def test_on_several_devices_the_first_process_writes_what_all_have(tmp_path: Path, after: int) -> None:
    run(small(), Snapshot(after, tmp_path / "file", print), device=TWO)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert is_state_after(tmp_path / "file", after, TWO)


def test_several_are_written_in_one_training(tmp_path: Path) -> None:
    run(small(), *(Snapshot(after, tmp_path / str(after), pytest.fail) for after in (1, 3)))
    assert all(is_state_after(tmp_path / str(after), after) for after in (1, 3))


@pytest.mark.parametrize("first", ["checkpoint", "snapshot"])
@pytest.mark.parametrize(("interrupted", "after"), [(1, 2), (1, 3), (2, 2)])
def test_a_training_that_goes_on_from_before_or_from_there_writes_it(
    tmp_path: Path, interrupted: int, after: int, first: str
) -> None:
    with pytest.raises(Interrupted):
        run(small(), checkpoint(tmp_path / "checkpoint"), Interrupt(interrupted))
    callbacks = [checkpoint(tmp_path / "checkpoint"), Snapshot(after, tmp_path / "file", pytest.fail)]
    run(small(), *(callbacks if first == "checkpoint" else reversed(callbacks)))
    assert is_state_after(tmp_path / "file", after)


def test_several_devices_go_on_and_write_it(tmp_path: Path) -> None:
    with pytest.raises(RankFailed, match="Interrupted"):
        run(small(), checkpoint(tmp_path / "checkpoint"), Interrupt(1), device=TWO)
    run(small(), checkpoint(tmp_path / "checkpoint"), Snapshot(2, tmp_path / "file", print), device=TWO)
    assert is_state_after(tmp_path / "file", 2, TWO)


def test_a_training_that_goes_on_from_beyond_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        run(small(), checkpoint(tmp_path / "checkpoint"), Interrupt(2))
    run(small(), checkpoint(tmp_path / "checkpoint"), Snapshot(1, tmp_path / "file", pytest.fail))
    assert not (tmp_path / "file").exists()


def test_a_training_that_goes_on_from_its_end_writes_it(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        run(small(), checkpoint(tmp_path / "checkpoint"), Interrupt(2))
    run(small(), checkpoint(tmp_path / "checkpoint"), Snapshot(2, tmp_path / "file", pytest.fail), epochs=2)
    assert is_state_after(tmp_path / "file", 2)


def test_a_training_that_ends_before_writes_nothing(tmp_path: Path) -> None:
    recipe = diverging(dataclasses.replace(RECIPE, frozen_epochs=0))
    assert run(small(), Snapshot(2, tmp_path / "file", pytest.fail), recipe=recipe).diverged
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("device", [CPU, TWO], ids=["one", "two"])
@pytest.mark.parametrize("after", [1, 3])
def test_a_disk_that_fails_ends_no_training_and_leaves_nothing(tmp_path: Path, after: int, device: Device) -> None:
    path, told = tmp_path / "in the way" / "file", tmp_path / "told"
    path.parent.write_text("a file")
    trained = run(small(), Snapshot(after, path, functools.partial(append, told)), device=device)
    assert trained.history == run(small(), device=device).history
    assert told.read_text() == f"no snapshot could be written to {path} (File exists): move what is in the way elsewhere; training goes on\n"
    assert sorted(tmp_path.iterdir()) == [path.parent, told]


def test_a_snapshot_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("older")
    run(small(), Snapshot(1, tmp_path / "file", pytest.fail))
    assert is_state_after(tmp_path / "file", 1)
