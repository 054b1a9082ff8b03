"""One network on several devices: two processes on the CPU stand for two GPUs."""

import dataclasses
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightning
import pandas as pd
import pytest
import torch
from torch import distributed, nn

import pruneexp
from pruneexp.errors import UserError
from pruneexp.network.initialise import initialise
from pruneexp.network.masks import Masks
from pruneexp.network.prunable import prunable
from pruneexp.recipe import Recipe
from pruneexp.seeding import stream
from pruneexp.training.about import About
from pruneexp.training.checkpoint import Checkpoint
from pruneexp.training.classifier import MaskedClassifier
from pruneexp.training.device import Device
from pruneexp.training.loggers import logging_to
from pruneexp.training.processes import RankFailed
from pruneexp.training.selection import LAST, Selection
from pruneexp.training.train import Trained, Trainee, train, train_together
from tests.command import SMALL, in_process
from tests.helpers import diverging, modern
from tests.training.test_train import CPU, random_masks, resident, small

TWO = Device("cpu", devices=2)
RECIPE = Recipe(
    epochs=3, batch_size=16, lr=0.05, weight_decay=5e-3, milestones=(2,), flip=True, shift=2, label_smoothing=0.1
)
MIXED = modern(RECIPE, weight_decay=0.1, flip=False, label_smoothing=0.0)
# the last epoch ruins the network, so that one of before is selected, from the checkpoint
RUINED = dataclasses.replace(RECIPE, milestones=(2,), gamma=1000.0)
PATIENCE = (
    240  # seconds, in which the slowest machine has long finished; the processes are ended with their parent's test
)


@pytest.fixture(autouse=True)
def _no_hang() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"a training on two processes has not ended after {PATIENCE} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(PATIENCE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


class Exact(nn.Module):
    """Float64 throughout, no BatchNorm."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(72, 4),
        )
        initialise(self, "kaiming_normal", stream(0, "initialisation"))
        self.double()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.layers(images.double())
        return logits


class Equal(lightning.Callback):
    """Fails unless parameters and BatchNorm's statistics are the same in all processes, dropout's draws are not, and the masks are on."""

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module, MaskedClassifier)
        assert distributed.get_world_size() == trainer.world_size == 2
        (branch,) = pl_module.branches
        state = branch.network.state_dict()
        mine = torch.cat([value.flatten().double() for name, value in state.items() if "num_batches" not in name])
        both = [torch.empty_like(mine) for _ in range(2)]
        distributed.all_gather(both, mine)
        assert torch.equal(*both)
        seeds = [torch.zeros(1, dtype=torch.int64) for _ in range(2)]
        distributed.all_gather(seeds, torch.tensor([torch.initial_seed()]))
        assert seeds[0] != seeds[1]
        assert branch.step.pruned
        for weight, kept in zip(branch.step.pruned, branch.step.kept, strict=True):
            assert not (weight * (1 - kept)).any()


class Ends(lightning.Callback):
    """Something happens in the second process at the beginning of an epoch."""

    def __init__(self, epoch: int, how: Callable[[], object]) -> None:
        self.epoch, self.how = epoch, how

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if trainer.global_rank == 1 and trainer.current_epoch == self.epoch:
            self.how()


def broken() -> None:
    raise ValueError("the second is broken")


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def run(
    network: nn.Module,
    device: Device,
    *callbacks: lightning.Callback,
    count: int = 70,
    logs: Path | None = None,
    start: int = 0,
    recipe: Recipe = RECIPE,
    selection: Selection = LAST,
) -> tuple[Trained, Masks]:
    masks = random_masks(network, 0.5)
    data = resident(recipe, count, validation=20)
    about = About("cell", "cell", "group", "pruned")
    with logging_to({"name": "csv" if logs else "none"}, logs or Path(), about) as loggers:
        whole = train(network, masks, recipe, data, device, loggers, callbacks, start=start, selection=selection)
        return whole, masks


def approximately(rows: list[dict[str, float]]) -> list[object]:
    return [pytest.approx(row, rel=1e-9) for row in rows]


@pytest.mark.parametrize(
    ("count", "start", "recipe"), [(77, 0, RECIPE), (69, 1, RECIPE), (69, 1, MIXED)]
)  # 57 images in batches of 16, the last of 9; 49, the last too small to share, from the second epoch on
def test_two_processes_train_what_one_does(tmp_path: Path, count: int, start: int, recipe: Recipe) -> None:
    alone, shared = Exact(), Exact()
    expected, _ = run(alone, CPU, count=count, logs=tmp_path / "alone", start=start, recipe=recipe)
    found, masks = run(shared, TWO, Equal(), count=count, logs=tmp_path / "shared", start=start, recipe=recipe)
    assert [row["epoch"] for row in found.history] == list(range(start, 3))
    assert found.history == approximately(expected.history)
    assert (found.accuracy, found.loss) == pytest.approx((expected.accuracy, expected.loss), rel=1e-9)
    for (name, mine), theirs in zip(shared.named_parameters(), alone.parameters(), strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-9, atol=1e-12), name
        if name in masks:
            assert not mine.detach()[~masks[name]].any()
    logs = [pd.read_csv(tmp_path / which / "csv" / "cell" / "metrics.csv") for which in ("alone", "shared")]
    pd.testing.assert_frame_equal(logs[1], logs[0], rtol=1e-6)  # Lightning logs float32


@pytest.mark.parametrize(("recipe", "selection", "chosen"), [(RECIPE, LAST, 2), (RUINED, Selection(best=True), 1)])
def test_a_network_with_batchnorm_and_dropout_goes_on_from_its_checkpoint(
    tmp_path: Path, recipe: Recipe, selection: Selection, chosen: int
) -> None:
    def network() -> nn.Module:
        return nn.Sequential(nn.Dropout(0.1), small())

    def checkpoint(device: str) -> Checkpoint:
        return Checkpoint(tmp_path / "file", {"cell": "a"}, device, 1e-9, print)

    how: Any = {"recipe": recipe, "selection": selection}
    whole, resumed = network(), network()
    expected, masks = run(whole, TWO, Equal(), **how)
    assert expected.history[chosen]["train/loss"] < expected.history[0]["train/loss"]
    assert (expected.chosen < 2) == selection.best
    with pytest.raises(RankFailed, match=r"of 2 processes that train a network, process 1 failed:\n(.*\n)*.*is broken"):
        run(network(), TWO, checkpoint("one"), Ends(2, broken), **how)
    last = checkpoint("two")
    found, _ = run(resumed, TWO, last, Equal(), **how)
    assert repr(found.history) == repr(expected.history)  # nan or not
    assert (found.accuracy, found.loss, found.chosen) == (expected.accuracy, expected.loss, expected.chosen)
    assert last.devices == ["one", "two"]
    assert last.seconds_before > 0
    for (name, value), other in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        assert torch.equal(value, other), name
        if name in masks:
            assert not value[~masks[name]].any()


def test_a_process_that_is_killed_ends_the_training() -> None:
    with pytest.raises(RankFailed, match=f"process 1 ended with exit code -{signal.SIGKILL}|Connection (closed|reset)"):
        run(Exact(), TWO, Ends(1, killed))


def test_a_loss_that_is_not_finite_ends_all_processes() -> None:
    network = small()
    recipe = diverging(RECIPE)
    trained = train(network, {}, recipe, resident(recipe), TWO)
    assert trained.diverged
    assert len(trained.history) == 1


def test_shares_make_up_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pruneexp.data.resident.CHUNK", 16 * 16 * 16)  # a batch
    data = resident(RECIPE, 49)
    shares = [data.shared(rank, 3, CPU.where) for rank in range(3)]
    sizes = []
    for (whole,), *parts in zip(data.epoch(1), *(share.epoch(1) for share in shares), strict=True):
        sizes.append([len(part[0][1]) for part in parts])
        for k in (0, 1):
            together = torch.cat([part[0][k] for part in parts])
            assert together.sum().item() == pytest.approx(whole[k].sum().item(), abs=1e-3)
        assert torch.equal(parts[0][0][0], whole[0][::3] if len(whole[0]) == 16 else whole[0])
    assert sizes == [[6, 5, 5]] * 3 + [[1, 0, 0]]
    assert sum(len(labels) for share in shares for _, labels in share.batches(data.test)) == len(data.test[1])


@pytest.mark.parametrize("devices", [0, -1, 1.5, True, "all"])
def test_a_number_of_devices_that_is_none(devices: object) -> None:
    with pytest.raises(
        UserError, match=r"^Device's devices must be a whole number, at least 1 and at most 1024, got .*\.$"
    ):
        Device("cpu", devices=devices)  # type: ignore[arg-type]


def test_several_networks_on_several_devices_are_refused() -> None:
    with pytest.raises(UserError, match=r"^trainer\.devices=2 .* trainer\.members=auto .*: set one of them to 1\.$"):
        Device("cpu", devices=2, members="auto")
    with pytest.raises(UserError, match=r"^2 networks at once are trained on one device, not on 2\.$"):
        train_together([Trainee(small(), {}, resident(RECIPE)) for _ in range(2)], RECIPE, TWO)


def test_more_gpus_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(UserError, match=r"^trainer\.devices=3, and torch sees 2 CUDA GPUs here: ask for no more\.$"):
        Device("cuda", devices=3)
    assert Device("cuda", devices=2).devices == 2


def test_a_cell_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (*SMALL, "trainer.devices=2", "seed=0", "scorer=magnitude", "masker=greedy", "densities=[0.1]")
    outcome = in_process(tmp_path, monkeypatch, capsys, *words)
    assert outcome.code == 0, outcome.err
    (record,) = tmp_path.glob("results/runs/*/record.json")
    assert '"device": "2 x ' in record.read_text()
    model, masks, _ = pruneexp.load_cell(record.parent)
    assert all(bool(weight[masks[name]].any()) for name, weight in prunable(model).items())
    assert list(tmp_path.glob("results/runs/reports/tables/*.md"))


def test_one_worker_for_each_gpu_has_one_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (*SMALL, "trainer.devices=2", "launcher=gpus", "launcher.devices=2", "trainer.accelerator=cpu")
    refused = in_process(tmp_path, monkeypatch, capsys, *arguments)
    assert refused.code == 2
    assert "launcher=gpus gives each job one device, and trainer.devices=2 asks for more" in refused.err
