"""What is left when a training has ended."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import lightning
import pytest
from lightning.pytorch.loggers import CSVLogger
from torch import nn

from pruneexp.data.resident import Resident
from pruneexp.models.resnet import resnet_cifar
from pruneexp.network.initialise import initialise
from pruneexp.network.masks import everything
from pruneexp.network.prunable import prunable
from pruneexp.recipe import Recipe
from pruneexp.seeding import stream
from pruneexp.training.checkpoint import Checkpoint
from pruneexp.training.device import Device
from pruneexp.training.snapshot import Snapshot
from pruneexp.training.train import Trainee, train, train_together
from tests.helpers import toy_dataset

CPU = Device("cpu")
RECIPE = Recipe(epochs=2, batch_size=16, lr=0.05)


def small() -> nn.Module:
    network = resnet_cifar(4, (3, 16, 16), 20)
    initialise(network, "kaiming_normal", stream(0, "initialisation"))
    return network


@pytest.fixture
def data() -> Resident:
    return Resident(toy_dataset(20), RECIPE, 0, CPU.where)


@pytest.fixture(autouse=True)
def _no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def parts(network: nn.Module) -> list["weakref.ref[object]"]:
    return [weakref.ref(part) for part in (network, *network.parameters())]


def test_a_trained_network_is_gone_as_soon_as_nobody_wants_it(data: Resident, tmp_path: Path) -> None:
    network = small()
    alive, masks = parts(network), everything(prunable(network))
    callbacks = [Checkpoint(tmp_path / "c", {}, "", 1e-9, print), Snapshot(1, tmp_path / "s", print)]
    loggers = [CSVLogger(tmp_path)]
    result = train(network, masks, RECIPE, data, CPU, loggers, callbacks)
    assert all(part() is not None for part in alive)
    assert (tmp_path / "c").exists()
    assert (tmp_path / "s").exists()
    del network
    assert all(part() is None for part in alive)
    assert len(result.history) == 2  # and all else is still there: callbacks, loggers, data


def test_so_are_several_trained_at_once(data: Resident) -> None:
    networks = [small(), small()]
    alive = [part for network in networks for part in parts(network)]
    train_together(
        [Trainee(network, {}, data) for network in networks], RECIPE, CPU, ended=lambda number, trained: None
    )
    del networks
    assert all(part() is None for part in alive)


def test_so_is_one_whose_training_failed(data: Resident) -> None:
    class Fails(lightning.Callback):
        def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
            raise RuntimeError("no more")

    network, callback = small(), Fails()
    alive = parts(network)
    with pytest.raises(RuntimeError, match=r"^no more$") as raised:
        train(network, {}, RECIPE, data, CPU, callbacks=[callback])
    del network, raised  # what an error tells holds what it came through
    assert all(part() is None for part in alive)
