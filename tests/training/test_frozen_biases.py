"""biases=frozen: in a pruned network the biases of Linear and Conv2d layers are after training what they were before, to the bit."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

from pruneexp.data.resident import Resident
from pruneexp.models.vgg import vgg_small
from pruneexp.network.prunable import freeze_biases, prunable
from pruneexp.recipe import Recipe
from pruneexp.seeding import stream
from pruneexp.sweep import expand
from pruneexp.training.data_parallel import Reduction
from pruneexp.training.device import Device
from pruneexp.training.train import Trainee, train_together
from tests.command import SMALL, in_process
from tests.helpers import toy_dataset

SHAPE = (3, 8, 8)
RECIPE = Recipe(epochs=2, batch_size=16, lr=0.05, weight_decay=0.1, milestones=(1,))
State = dict[str, torch.Tensor]
BIASES = ("0.bias", "5.bias", "7.bias")  # of the convolution and the linear layers of `network`


def network(seed: int = 0) -> nn.Sequential:
    """A convolution with a bias, normalised, and two linear layers; no bias is zero, so that weight decay would move it."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 8),
            nn.ReLU(), nn.Linear(8, 4),
        )  # fmt: skip


def trainee(model: nn.Module, seed: int = 0, recipe: Recipe = RECIPE) -> Trainee:
    masks = {
        name: torch.rand(weight.shape, generator=stream(seed, "mask")) < 0.7 for name, weight in prunable(model).items()
    }
    return Trainee(model, masks, Resident(toy_dataset(48, side=SHAPE[1]), recipe, seed, torch.device("cpu")))


def trained(models: list[nn.Module], recipe: Recipe = RECIPE, device: Device = Device("cpu")) -> list[State]:  # noqa: B008
    """The networks' states after training side by side; the networks that are given are left as they are."""
    copies = [copy.deepcopy(model) for model in models]
    train_together([trainee(model, seed, recipe) for seed, model in enumerate(copies)], recipe, device)
    return [dict(model.state_dict()) for model in copies]


def frozen(seed: int = 0) -> nn.Sequential:
    made = network(seed)
    freeze_biases(made)
    return made


@pytest.mark.parametrize("frozen_epochs", [0, 1])
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_frozen_biases_stay_to_the_bit_and_everything_else_is_trained(precision: Any, frozen_epochs: int) -> None:
    recipe = Recipe(epochs=2, batch_size=16, lr=0.05, weight_decay=0.1, milestones=(1,), frozen_epochs=frozen_epochs)
    device = Device("cpu", precision)
    before = network().state_dict()
    (after,), (free,) = trained([frozen()], recipe, device), trained([network()], recipe, device)
    for name, value in after.items():
        assert torch.equal(value, before[name]) == (name in BIASES), name
    assert not any(torch.equal(free[name], before[name]) for name in BIASES)


def test_networks_with_and_without_frozen_biases_train_side_by_side_as_alone() -> None:
    together = trained([frozen(0), network(1)])
    alone = trained([frozen(0)])
    assert all(torch.equal(value, together[0][name]) for name, value in alone[0].items())
    free = network(1).state_dict()
    assert not any(torch.equal(together[1][name], free[name]) for name in BIASES)


def test_processes_that_share_batches_give_frozen_biases_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reduction, "sum", lambda self, totals: None)  # of one process
    model = frozen()
    model(torch.ones(2, *SHAPE)).sum().backward()
    Reduction().gradients(model.parameters(), 2)
    without = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    assert without == {*BIASES}


def test_the_option_freezes_the_biases_of_pruned_cells_and_is_no_part_of_dense_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (*SMALL, "masker=uniform", "seed=0", "densities=[1.0,0.1]", "trainer.precision=float32")
    keys = {
        value: [slot.cells[0].key for slot in expand([*words, f"biases={value}"]).slots]
        for value in ("trained", "frozen")
    }
    assert keys["trained"] == [slot.cells[0].key for slot in expand(words).slots]
    assert keys["trained"][0] == keys["frozen"][0]
    assert keys["trained"][1] != keys["frozen"][1]
    ran = in_process(tmp_path, monkeypatch, capsys, *words, "biases=frozen")
    assert ran.code == 0, ran.err
    dense, pruned = (tmp_path / "results" / "runs" / key for key in keys["frozen"])
    assert json.loads((pruned / "record.json").read_text())["description"]["biases"] == "frozen"
    left, whole = (safetensors.torch.load_file(folder / "weights.safetensors") for folder in (pruned, dense))
    of_layers = {name.removesuffix("weight") + "bias" for name in prunable(vgg_small(10, (1, 8, 8)))} & left.keys()
    assert of_layers  # zero at the start
    assert all(not left[name].any() and whole[name].any() for name in of_layers)
    assert all(left[name].any() for name in left.keys() - of_layers if name.endswith(".bias"))
