"""Members of an ensemble are what their separate runs are."""

import copy
import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from pruneexp.data.resident import Resident
from pruneexp.models.resnet import resnet_cifar
from pruneexp.models.vgg import vgg_small
from pruneexp.network.initialise import initialise
from pruneexp.network.masks import Masks
from pruneexp.network.prunable import prunable
from pruneexp.recipe import Recipe
from pruneexp.seeding import stream
from pruneexp.training.device import Device
from pruneexp.training.ensemble import Ensemble, stack_masks
from pruneexp.training.step import Step, losses
from pruneexp.training.train import train, train_together
from tests.helpers import diverging, toy_dataset

CPU = Device("cpu")
STEPS, CLASSES = 50, 4
RECIPE = Recipe(epochs=2, batch_size=16, lr=0.01, weight_decay=5e-3, flip=True, shift=2)


def linear(num_classes: int, input_shape: tuple[int, int, int]) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), 24), nn.ReLU(), nn.Linear(24, num_classes))


def resnet20(num_classes: int, input_shape: tuple[int, int, int]) -> nn.Module:
    return resnet_cifar(num_classes, input_shape, 20)


def started(make: Callable[..., nn.Module], side: int = 8) -> nn.Module:
    network = make(CLASSES, (3, side, side))
    initialise(network, "kaiming_normal", stream(0, "initialisation"))
    return network


def masks_of(network: nn.Module, *densities: float) -> list[Masks]:
    """At density 1 none."""
    generator = stream(0, "masks")
    weights = prunable(network)
    return [
        {name: torch.rand(w.shape, generator=generator) < density for name, w in weights.items()} if density < 1 else {}
        for density in densities
    ]


def largest_difference(ensemble: Ensemble, networks: list[nn.Module]) -> float:
    """Of any parameter or BatchNorm statistic, relative to the largest of its tensor where that is above 1."""
    differences = []
    for member, network in enumerate(networks):
        mine = ensemble.state(member)
        assert mine.keys() == network.state_dict().keys()
        for name, theirs in network.state_dict().items():
            scale = max(float(theirs.abs().max()), 1.0)
            differences.append(float((mine[name] - theirs).abs().max()) / scale)
    return max(differences)


@pytest.mark.parametrize(
    ("make", "dtype", "rate", "tolerance"),
    [
        (linear, torch.float64, 0.05, 1e-12),
        (vgg_small, torch.float64, 0.05, 1e-9),
        (linear, torch.float32, 0.05, 1e-5),
        (vgg_small, torch.float32, 1e-3, 1e-4),
        (resnet20, torch.float32, 1e-3, 1e-3),
    ],
    ids=["linear64", "vgg_small64", "linear32", "vgg_small32", "resnet20"],
)
def test_members_equal_their_separate_runs_after_fifty_steps(
    make: Callable[..., nn.Module], dtype: torch.dtype, rate: float, tolerance: float
) -> None:
    recipe = Recipe(epochs=1, batch_size=8, lr=rate, weight_decay=5e-3, label_smoothing=0.1)
    start = started(make).to(dtype).train()
    masks = masks_of(start, 1.0, 0.3)
    alone = [copy.deepcopy(start) for _ in masks]
    ensemble = Ensemble([copy.deepcopy(start) for _ in masks])
    together = Step(ensemble, stack_masks(masks), recipe, CPU)
    steps = [Step(network, some, recipe, CPU) for network, some in zip(alone, masks, strict=True)]
    generator = stream(0, "batches")
    for _ in range(STEPS):
        images = torch.randn(8, 3, 8, 8, generator=generator).to(dtype)
        labels = torch.randint(0, CLASSES, (8,), generator=generator)
        logits = together(images, labels)
        expected = torch.cat([step(images, labels) for step in steps])
        assert logits.shape == (2, 8, CLASSES)
        assert torch.allclose(logits, expected, atol=100 * tolerance, rtol=100 * tolerance)
    assert largest_difference(ensemble, alone) < tolerance
    assert largest_difference(ensemble, [start, start]) > 100 * tolerance  # they have been trained
    for name, mask in masks[1].items():
        assert not ensemble.state(1)[name][~mask].any()
        assert bool((ensemble.state(1)[name][mask] != 0).any())


@pytest.mark.parametrize("frozen", [0, 1], ids=["", "frozen"])
def test_training_together_leaves_what_training_alone_leaves(frozen: int) -> None:
    recipe = Recipe(epochs=2, batch_size=16, lr=1e-3, milestones=(1,), flip=True, shift=2, frozen_epochs=frozen)
    data = Resident(toy_dataset(70), recipe, 0, CPU.where)
    start = started(vgg_small, 16)
    masks = masks_of(start, 0.5, 1.0, 0.1)
    together, alone = ([copy.deepcopy(start) for _ in masks] for _ in range(2))
    results = train_together(together, masks, recipe, data, CPU)
    for network, other, some, mine in zip(together, alone, masks, results, strict=True):
        theirs = train(other, some, recipe, data, CPU)
        for (name, value), expected in zip(network.state_dict().items(), other.state_dict().values(), strict=True):
            assert torch.allclose(value, expected, atol=1e-4, rtol=1e-3), name
        assert len(mine.history) == len(theirs.history) == 2
        for row, expected_row in zip(mine.history, theirs.history, strict=True):
            assert row.keys() == expected_row.keys()
            assert row["train/loss"] == pytest.approx(expected_row["train/loss"], rel=1e-4)
            assert row["learning_rate"] == expected_row["learning_rate"]
        assert mine.loss == pytest.approx(theirs.loss, rel=1e-3)
        assert mine.accuracy == pytest.approx(theirs.accuracy, abs=3)
        assert not mine.diverged
    assert len({result.loss for result in results}) == 3


def test_a_diverged_member_stops_there_and_disturbs_no_other() -> None:
    data = Resident(toy_dataset(70), RECIPE, 0, CPU.where)
    good = started(linear, 16)
    bad = copy.deepcopy(good)
    with torch.no_grad():
        prunable(bad)["1.weight"].mul_(1e30)
    together, alone = ([copy.deepcopy(bad), copy.deepcopy(good)] for _ in range(2))
    results = train_together(together, [{}, {}], RECIPE, data, CPU)
    expected = [train(network, {}, RECIPE, data, CPU) for network in alone]
    assert [result.diverged for result in results] == [True, False]
    assert [len(result.history) for result in results] == [1, 2] == [len(result.history) for result in expected]
    for one, other in zip(together, alone, strict=True):
        for value, theirs in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
            assert torch.allclose(value, theirs, atol=1e-5, equal_nan=True)
    assert [result.accuracy for result in results] == pytest.approx([result.accuracy for result in expected])


def test_when_all_have_diverged_the_training_ends() -> None:
    recipe = diverging(Recipe(epochs=3, batch_size=16, lr=1.0))
    networks = [started(linear, 16) for _ in range(2)]
    results = train_together(networks, [{}, {}], recipe, Resident(toy_dataset(40), recipe, 0, CPU.where), CPU)
    assert all(result.diverged and len(result.history) == 1 for result in results)


def test_bf16_members_follow_their_separate_runs_loosely() -> None:
    recipe, device = Recipe(epochs=1, batch_size=8, lr=0.01), Device("cpu", "bf16")
    start = started(vgg_small).train()
    ensemble, alone = Ensemble([copy.deepcopy(start) for _ in range(2)]), copy.deepcopy(start)
    images, labels = torch.randn(8, 3, 8, 8, generator=stream(0, "x")), torch.arange(8) % CLASSES
    logits = Step(ensemble, {}, recipe, device)(images, labels)
    expected = Step(alone, {}, recipe, device)(images, labels)
    assert torch.allclose(logits[0].float(), expected[0].float(), atol=0.05)
    assert torch.equal(logits[0], logits[1])
    assert {parameter.dtype for parameter in ensemble.parameters()} == {torch.float32}


def test_the_ensemble_speaks_the_networks_names_and_follows_their_modes() -> None:
    network = started(vgg_small)
    ensemble = Ensemble([network, copy.deepcopy(network)])
    assert dict(ensemble.named_parameters()).keys() == dict(network.named_parameters()).keys()
    assert dict(ensemble.named_buffers()).keys() == dict(network.named_buffers()).keys()
    ensemble.eval()
    assert not any(module.training for module in network.modules())
    before = ensemble.state(0)
    ensemble(torch.randn(2, 3, 8, 8))
    assert all(torch.equal(value, before[name]) for name, value in ensemble.state(0).items())
    ensemble.train()
    ensemble(torch.randn(2, 3, 8, 8))
    changed = {name for name, value in ensemble.state(0).items() if not torch.equal(value, before[name])}
    assert changed == dict(network.named_buffers()).keys()


def test_losses_are_each_networks_and_images_own() -> None:
    logits, labels = torch.randn(2, 5, 3), torch.tensor([0, 2, 1, 1, 0])
    found = losses(logits, labels, 0.2)
    for member in range(2):
        for image in range(5):
            share = torch.full((3,), 0.2 / 3)
            share[labels[image]] += 0.8
            expected = -(share * logits[member, image].log_softmax(0)).sum()
            assert float(found[member, image]) == pytest.approx(float(expected), abs=1e-6)
