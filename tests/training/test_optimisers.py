"""Adam, AdamW, mixed images and a learning rate for each step: masked, interrupted, side by side and recorded as with SGD."""

import dataclasses
import functools
import io
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from torch import nn
from torch.nn import functional

from pruneexp.network.prunable import prunable
from pruneexp.recipe import Recipe
from pruneexp.training.branch import Branch
from pruneexp.training.device import Device
from pruneexp.training.going_on import fault
from pruneexp.training.optimiser import make_optimiser
from pruneexp.training.step import Step
from pruneexp.training.tally import Tally
from pruneexp.training.train import train
from tests.helpers import modern
from tests.properties import PROPERTY
from tests.training import test_branches as branches
from tests.training.test_branches import Member
from tests.training.test_checkpoint import Interrupted
from tests.training.test_cuda_graph import Tape, same, trained
from tests.training.test_snapshot import Interrupt
from tests.training.test_train import CPU, random_masks, resident, small

ADAM = Recipe(
    epochs=3, batch_size=16, lr=0.003, optimiser="adam", weight_decay=5e-3, milestones=(2,), flip=True, shift=2
)
ADAMW = dataclasses.replace(ADAM, optimiser="adamw", weight_decay=0.1)
MODERN = modern(ADAMW, epochs=4, label_smoothing=0.1)


def by_hand(recipe: Recipe) -> nn.Module:
    """A masked network trained by torch's plain optimiser, none of its shortcuts taken."""
    network, data = small(), resident(recipe)
    weights, masks = prunable(network), random_masks(network)
    kind = torch.optim.Adam if recipe.optimiser == "adam" else torch.optim.AdamW
    optimiser = kind(network.parameters(), recipe.lr, weight_decay=recipe.weight_decay, foreach=False)

    def put_masks_on() -> None:
        for name, mask in masks.items():
            weights[name].data *= mask

    put_masks_on()
    for epoch in range(recipe.epochs):
        optimiser.param_groups[0]["lr"] = recipe.learning_rate(epoch)
        for images, labels in (batch for chunk in data.epoch(epoch) for batch in chunk):
            optimiser.zero_grad()
            functional.cross_entropy(network(images), labels).backward()
            optimiser.step()
            put_masks_on()
    return network


@pytest.mark.parametrize("recipe", [ADAM, ADAMW], ids=lambda recipe: recipe.optimiser)
def test_training_is_torchs_and_pruned_weights_are_zero_at_every_forward_pass(recipe: Recipe) -> None:
    network, expected = small(), by_hand(recipe)
    weights, masks, passes = prunable(network), random_masks(network), []
    network.register_forward_pre_hook(
        lambda module, _: passes.append(
            max(float(weights[name].detach()[~mask].abs().max()) for name, mask in masks.items())
        )
    )
    before = {name: weight.detach().clone() for name, weight in weights.items()}
    train(network, masks, recipe, resident(recipe), CPU)
    assert (len(passes), set(passes)) == (3 * 5 + 1, {0.0})
    for name, parameter in network.named_parameters():
        # Adam's step hardly depends on a gradient's size, so that those near zero are mostly rounding
        assert (parameter - expected.get_parameter(name)).abs().max() < 0.05 * recipe.lr, name
        if name in masks:
            assert bool((parameter.detach() != before[name])[masks[name]].all())


@given(
    optimiser=some.sampled_from(["sgd", "adam", "adamw"]),
    lr=some.floats(1e-4, 1.0),
    weight_decay=some.floats(0, 1.0),
    density=some.floats(0, 1),
    soft=some.booleans(),
    precision=some.sampled_from(["float32", "bf16"]),
)
@PROPERTY
def test_whatever_the_optimiser_a_step_leaves_pruned_weights_at_zero(
    optimiser: Any, lr: float, weight_decay: float, density: float, soft: bool, precision: Any
) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 4))
    masks = {name: torch.rand(weight.shape) < density for name, weight in prunable(network).items()}
    recipe = Recipe(epochs=1, batch_size=8, lr=lr, optimiser=optimiser, weight_decay=weight_decay)
    step = Step(network, masks, recipe, Device("cpu", precision))
    for _ in range(3):
        labels = torch.rand(8, 4).softmax(dim=1) if soft else torch.randint(4, (8,))
        step(torch.randn(8, 3, 2, 2), labels)
        for name, mask in masks.items():
            assert not network.get_parameter(name)[~mask].any()
            assert bool(network.get_parameter(name).isfinite().all())


def test_in_frozen_epochs_adam_counts_no_steps_of_what_stays() -> None:
    recipe, network = dataclasses.replace(ADAM, frozen_epochs=1, epochs=2, milestones=()), small()
    watch = branches.Watch()
    train(network, {}, recipe, resident(recipe), CPU, callbacks=[watch])
    (branch,) = watch.branches
    steps = {name: int(branch.step.optimiser.state[one]["step"]) for name, one in branch.step.parameters.items()}
    assert {name: number for name, number in steps.items() if name.startswith("fc.")} == {
        "fc.weight": 10,
        "fc.bias": 10,
    }
    assert {number for name, number in steps.items() if not name.startswith("fc.")} == {5}


def test_a_learning_rate_for_each_step_is_set_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    real = Step.__call__

    def call(self: Step, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        rates.append(self.optimiser.param_groups[0]["lr"])
        return real(self, images, labels)

    monkeypatch.setattr(Step, "__call__", call)
    result = train(small(), {}, MODERN, resident(MODERN), CPU)
    assert rates == [MODERN.learning_rate(epoch + step / 5) for epoch in range(4) for step in range(5)]
    assert [row["learning_rate"] for row in result.history] == rates[::5]
    assert rates[5] == max(rates) == MODERN.lr


# to the bit what they are uninterrupted, alone and launched one by one

MEMBERS = (Member(0), Member(1, 0.2), Member(0, 1.0))
MIXED = dataclasses.replace(MODERN, batch_size=8, shift=1, frozen_epochs=1)


@functools.cache
def alone() -> list[branches.Result]:
    return [branches.run([member], MIXED)[0] for member in MEMBERS]


def test_together_each_comes_to_the_numbers_that_it_comes_to_alone() -> None:
    assert branches.alike(branches.run(MEMBERS, MIXED), alone()) == [True] * 3
    assert len({told for _, told in alone()}) == 3


def test_interrupted_ones_end_as_if_they_had_not_been(tmp_path: Path) -> None:
    branches.interrupted(MEMBERS, {0: 1, 1: 3}, tmp_path, MIXED)
    told: list[str] = []
    places = branches.checkpoints(tmp_path, range(3), told=told)
    assert branches.alike(branches.run(MEMBERS, MIXED, callbacks=places), alone()) == [True] * 3
    assert told == ["goes on after epoch 1 of 4", "goes on after epoch 3 of 4"]


@pytest.mark.parametrize("mixing", [{"mixup": 0.2}, {"cutmix": 1.0}], ids=str)
def test_replayed_steps_on_mixed_images_are_the_direct_ones(
    monkeypatch: pytest.MonkeyPatch, mixing: dict[str, float]
) -> None:
    recipe = dataclasses.replace(MODERN, epochs=2, mixup=0.0, cutmix=0.0)
    recipe = dataclasses.replace(recipe, **mixing)  # type: ignore[arg-type]
    direct, tape = trained(monkeypatch, None, recipe), Tape()
    assert same(direct, trained(monkeypatch, tape, recipe))
    assert tape.replayed == 2 * 8 - 3


# checkpoints


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What an interrupted training by AdamW has left."""
    folder = tmp_path_factory.mktemp("left")
    (checkpoint,) = branches.checkpoints(folder, [0], every=1e-9)
    recipe, network = MODERN, small()
    with pytest.raises(Interrupted):
        train(network, random_masks(network), recipe, resident(recipe), CPU, callbacks=[checkpoint, Interrupt(2)])
    state, content = checkpoint._read(), io.BytesIO()
    torch.save(state, content)
    return content.getvalue()


def why(left: bytes, recipe: Recipe = MODERN, **changes: Any) -> str:
    """Why a training does not go on from the state, of which some of the optimiser's first buffers or options are others."""
    state, network = torch.load(io.BytesIO(left), weights_only=True), small()
    for part in (state["optimiser"]["state"][0], state["optimiser"]["param_groups"][0]):
        part.update({name: change(part[name]) for name, change in changes.items() if name in part})
    return fault(state, Branch(network, random_masks(network), recipe, resident(recipe), CPU, [], recipe.epochs))


def test_what_adamw_has_left_is_gone_on_from_on_a_device_that_records_steps_too(left: bytes) -> None:
    assert why(left) == ""
    assert why(left, capturable=lambda _: True) == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"exp_avg_sq": lambda old: -old - 1}, "of its optimiser exp_avg_sq 0 is below zero"),
        ({"step": lambda old: old - 100}, "of its optimiser step 0 is below zero"),
        ({"exp_avg": lambda old: old + math.inf}, "exp_avg 0 is not finite"),
        ({"exp_avg": lambda _: torch.zeros(3)}, "of its optimiser exp_avg 0 is float32 [3] and should be"),
        ({"betas": lambda _: (0.5, 0.5)}, "of its optimiser options are others"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_what_adamw_cannot_have_left_is_not(left: bytes, changes: dict[str, Any], said: str) -> None:
    assert why(left, **changes).startswith(said)


def test_what_another_optimiser_has_left_is_not_gone_on_from(left: bytes) -> None:
    assert "of its optimiser options are others" in why(left, dataclasses.replace(MODERN, optimiser="adam"))
    assert "of its optimiser options are others" in why(left, dataclasses.replace(MODERN, optimiser="sgd"))


def test_where_steps_may_be_recorded_adam_can_be() -> None:
    """On CUDA torch records no other."""
    parameters = [nn.Parameter(torch.zeros(2, 3))]
    for recorded in (True, False):
        made = make_optimiser(parameters, ADAM, torch.tensor(0.1), recorded)
        assert made.param_groups[0]["capturable"] == recorded
        assert {name: value.shape for name, value in made.state[parameters[0]].items()} == {
            "step": torch.Size([]),
            "exp_avg": torch.Size([2, 3]),
            "exp_avg_sq": torch.Size([2, 3]),
        }


def test_hits_on_mixed_images_are_of_the_larger_share() -> None:
    tally = Tally(1, torch.device("cpu"))
    logits = torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 3.0, 0.0]])
    labels = torch.tensor([[0.7, 0.3, 0.0], [0.6, 0.0, 0.4], [0.2, 0.8, 0.0]])
    tally.count(0, logits, labels, smoothing=0.1)
    ((loss, accuracy),) = tally.take()
    smooth = 0.9 * labels + 0.1 / 3
    assert loss == pytest.approx(float(-(smooth * logits.log_softmax(dim=1)).sum(dim=1).mean()))
    assert accuracy == pytest.approx(200 / 3)
