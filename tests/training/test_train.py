"""Training: pruned weights are zero at every forward pass, and the rest is plain SGD."""

import copy
import dataclasses
import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from pruneexp.data.resident import Resident
from pruneexp.models.resnet import resnet_cifar
from pruneexp.models.vgg import VGG, M
from pruneexp.network.initialise import initialise
from pruneexp.network.masks import Masks
from pruneexp.network.prunable import prunable
from pruneexp.recipe import Recipe
from pruneexp.seeding import stream
from pruneexp.training.device import Device
from pruneexp.training.train import Trained, train
from tests.helpers import diverging, toy_dataset

CPU = Device("cpu")
RECIPE = Recipe(epochs=3, batch_size=16, lr=0.05, weight_decay=5e-3, milestones=(2,), flip=True, shift=2)


def small() -> nn.Module:
    network = VGG([12, M, 24], 4)
    initialise(network, "kaiming_normal", stream(0, "initialisation"))
    return network


def random_masks(network: nn.Module, density: float = 0.2) -> Masks:
    generator = stream(0, "masks")
    return {name: torch.rand(weight.shape, generator=generator) < density for name, weight in prunable(network).items()}


def resident(recipe: Recipe, count: int = 70, seed: int = 0, validation: int = 0) -> Resident:
    return Resident(dataclasses.replace(toy_dataset(count), validation=validation), recipe, seed, CPU.where)


def run(network: nn.Module, masks: Masks, recipe: Recipe = RECIPE, count: int = 70, seed: int = 0) -> Trained:
    return train(network, masks, recipe, resident(recipe, count, seed), CPU)


def test_pruned_weights_are_exactly_zero_at_every_forward_pass() -> None:
    network = small()
    masks, passes = random_masks(network), []

    def watch(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        weights = prunable(network)
        passes.append(max(float(weights[name].detach()[~mask].abs().max()) for name, mask in masks.items()))

    network.register_forward_pre_hook(watch)
    before = {name: weight.detach().clone() for name, weight in prunable(network).items()}
    run(network, masks)
    assert len(passes) == 3 * 5 + 1  # epochs x batches, and one pass over the test images
    assert set(passes) == {0.0}
    for name, weight in prunable(network).items():
        assert not weight.detach()[~masks[name]].any()
        moved = (weight.detach() != before[name])[masks[name]]
        assert bool(moved.all())


def plain_loop(network: nn.Module, data: Resident, recipe: Recipe, masks: Masks) -> tuple[float, float]:
    """SGD with momentum and weight decay written out, the masks put on after each step."""
    weights = prunable(network)
    for name, mask in masks.items():
        weights[name].data *= mask
    momentum = [torch.zeros_like(parameter) for parameter in network.parameters()]
    network.train()
    for epoch in range(recipe.epochs):
        rate = recipe.lr * recipe.gamma ** sum(epoch >= milestone for milestone in recipe.milestones)
        for chunk in data.epoch(epoch):
            for images, labels in chunk:
                network.zero_grad()
                functional.cross_entropy(network(images), labels).backward()
                for parameter, velocity in zip(network.parameters(), momentum, strict=True):
                    assert parameter.grad is not None
                    velocity.mul_(recipe.momentum).add_(parameter.grad + recipe.weight_decay * parameter.data)
                    parameter.data -= rate * velocity
                for name, mask in masks.items():
                    weights[name].data *= mask
    network.eval()
    with torch.no_grad():
        images = torch.cat([images for images, _ in data.batches(data.test)])
        logits, labels = network(images), data.test[1]
    accuracy = 100 * float((logits.argmax(dim=1) == labels).double().mean())
    return accuracy, float(functional.cross_entropy(logits, labels))


@pytest.mark.parametrize("pruned", [False, True], ids=["dense", "masked"])
def test_training_equals_a_plain_loop(pruned: bool) -> None:
    network, by_hand = small(), small()
    masks = random_masks(network, 0.5) if pruned else {}
    result = run(network, masks)
    accuracy, loss = plain_loop(by_hand, resident(RECIPE), RECIPE, masks)
    for (name, mine), theirs in zip(network.named_parameters(), by_hand.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=2e-5, rtol=1e-3), name
    for found, expected in zip(network.buffers(), by_hand.buffers(), strict=True):
        assert torch.allclose(found, expected, atol=1e-4, rtol=1e-3)
    assert result.accuracy == pytest.approx(accuracy)
    assert result.loss == pytest.approx(loss, abs=1e-4)


def test_the_same_seed_twice_gives_identical_parameters_and_another_seed_others() -> None:
    networks = [small() for _ in range(3)]
    masks = random_masks(networks[0])
    results = [run(network, masks, seed=seed) for network, seed in zip(networks, (0, 0, 1), strict=True)]
    first, same, other = ([*network.state_dict().values()] for network in networks)
    assert all(torch.equal(a, b) for a, b in zip(first, same, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))
    assert results[0].history == results[1].history
    assert results[0].loss == results[1].loss


def test_training_does_not_depend_on_the_global_random_state() -> None:
    network, again = small(), small()
    torch.manual_seed(1)
    run(network, {})
    torch.manual_seed(2)
    state = torch.get_rng_state()
    run(again, {})
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))
    assert torch.equal(torch.get_rng_state(), state)


def test_the_last_partial_batch_is_trained_on() -> None:
    batches: list[int] = []
    network = small()
    recipe = dataclasses.replace(RECIPE, epochs=1)
    network.register_forward_pre_hook(
        lambda module, inputs: batches.append(len(inputs[0])) if module.training else None
    )
    run(network, {}, recipe, count=37)
    assert batches == [16, 16, 5]


def test_a_data_set_of_several_chunks_is_trained_on_completely(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, parts = small(), small()
    run(whole, {})
    monkeypatch.setattr("pruneexp.data.resident.CHUNK", 32 * 16 * 16)
    result = run(parts, {})
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), parts.parameters(), strict=True))
    assert len(result.history) == 3


def test_history_has_one_row_per_epoch_with_its_learning_rate() -> None:
    result = run(small(), {})
    assert [row["epoch"] for row in result.history] == [0, 1, 2]
    assert [row["learning_rate"] for row in result.history] == pytest.approx([0.05, 0.05, 0.005])
    assert all(math.isfinite(row["train/loss"]) and 0 <= row["train/accuracy"] <= 100 for row in result.history)
    assert set(result.history[0]) == {"epoch", "train/loss", "train/accuracy", "learning_rate"}
    assert not result.diverged
    assert result.seconds > 0
    assert result.peak_memory_bytes > 0


def test_the_validation_split_is_measured_each_epoch_and_not_trained_on() -> None:
    network = small()
    trained_on: list[int] = []
    network.register_forward_pre_hook(
        lambda module, inputs: trained_on.append(len(inputs[0])) if module.training else None
    )
    data = resident(RECIPE, validation=30)
    result = train(network, {}, RECIPE, data, CPU)
    assert sum(trained_on) == 3 * 40
    assert all(0 <= row["validation/accuracy"] <= 100 for row in result.history)
    network.eval()
    with torch.no_grad():
        images, labels = next(iter(data.batches(data.validation)))
        loss = float(functional.cross_entropy(network(images), labels))
    assert result.history[-1]["validation/loss"] == pytest.approx(loss, abs=1e-5)


def test_it_learns() -> None:
    recipe = dataclasses.replace(RECIPE, flip=False)  # a mirrored image would be of another class
    network = small()
    result = run(network, random_masks(network, 0.5), recipe, count=200)
    assert result.accuracy > 60
    assert result.history[-1]["train/loss"] < result.history[0]["train/loss"]


def test_a_loss_that_is_not_finite_is_reported_as_diverged_and_ends_the_training() -> None:
    network = small()
    result = run(network, random_masks(network), diverging(RECIPE))
    assert result.diverged
    assert len(result.history) == 1
    assert not math.isfinite(result.history[0]["train/loss"])
    assert 0 <= result.accuracy <= 100


def test_a_loss_that_stops_being_finite_in_the_last_step_is_diverged_too() -> None:
    recipe = diverging(dataclasses.replace(RECIPE, epochs=1, batch_size=70))  # the one step is taken at a finite loss
    result = run(small(), {}, recipe)
    assert not math.isfinite(result.loss)
    assert result.diverged


def test_a_network_with_shortcuts_trains_masked() -> None:
    network = resnet_cifar(4, (3, 16, 16), 20)
    initialise(network, "kaiming_uniform", stream(0, "initialisation"))
    masks = random_masks(network)
    run(network, masks, dataclasses.replace(RECIPE, epochs=1), count=20)
    weights = prunable(network)
    assert all(not weights[name].detach()[~mask].any() for name, mask in masks.items())


def test_a_dense_copy_is_untouched_by_the_training_of_another() -> None:
    network = small()
    kept = copy.deepcopy(network)
    run(copy.deepcopy(network), random_masks(network))
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), kept.parameters(), strict=True))


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"accelerator": "tpu"}, "^Device's accelerator must be "),
        ({"precision": "fp8"}, "^Device's precision must be "),
        ({"threads": -1}, "^Device's threads must be "),
        ({"threads": 1.5}, "^Device's threads must be "),
        ({"threads": "two"}, "^Device's threads must be "),
    ],
)
def test_a_device_that_cannot_be_is_named(arguments: dict[str, str], part: str) -> None:
    from pruneexp.errors import UserError

    with pytest.raises(UserError, match=part):
        Device(**arguments)  # type: ignore[arg-type]


def test_bf16_on_the_cpu_trains_float32_weights() -> None:
    network = small()
    result = train(network, {}, RECIPE, resident(RECIPE), Device("cpu", "bf16"))
    assert math.isfinite(result.loss)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    exact = run(small(), {})
    assert result.loss != exact.loss
    assert result.loss == pytest.approx(exact.loss, rel=0.5)
