"""What only a CUDA GPU can show; skipped without one."""

import copy
from typing import Any

import pytest
import torch

from pruneexp.data.batches import Batches
from pruneexp.data.resident import Resident
from pruneexp.graphs.leverage import leverage_scores
from pruneexp.layers import Notes
from pruneexp.maskers.sparsify import sparsify
from pruneexp.models.resnet import resnet_cifar
from pruneexp.network.initialise import initialise
from pruneexp.pruning.masking import mask
from pruneexp.pruning.scoring import score
from pruneexp.recipe import Recipe
from pruneexp.scorers.magnitude import magnitude
from pruneexp.seeding import stream
from pruneexp.training.device import Device
from pruneexp.training.train import Trainee, train, train_together
from tests.helpers import modern, target_of, toy_dataset

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
RECIPE = Recipe(epochs=3, batch_size=32, lr=0.05, weight_decay=1e-3, milestones=(1,), flip=True, shift=2)
MIXED = modern(RECIPE)
each_recipe = pytest.mark.parametrize("recipe", [RECIPE, MIXED], ids=["sgd", "adamw on mixed images"])


def trained(
    device: Device, seed: int = 0, recipe: Recipe = RECIPE
) -> tuple[torch.nn.Module, dict[str, torch.Tensor], float]:
    device.prepare()
    data = Resident(toy_dataset(300), recipe, seed, device.where)
    network = resnet_cifar(4, (3, 16, 16), 20)
    initialise(network, "kaiming_normal", stream(seed, "initialisation"))
    masks = mask(target_of(network), score(network, magnitude, Batches(), seed), sparsify, 0.1, seed, Notes())
    result = train(network, masks, recipe, data, device)
    return network.cpu(), masks, result.loss


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


@each_recipe
def test_replayed_training_is_the_direct_training_bit_for_bit(
    recipe: Recipe, capsys: pytest.CaptureFixture[str]
) -> None:
    replayed, _, loss = trained(Device("cuda"), recipe=recipe)
    direct, _, expected = trained(Device("cuda", graphs=False), recipe=recipe)
    assert loss == expected
    assert same(replayed, direct)
    assert "cannot be recorded" not in capsys.readouterr().out


class Dropping(torch.nn.Module):
    """Random where it trains; with `waits`, it looks at a number on the device, which no graph can."""

    def __init__(self, waits: bool) -> None:
        super().__init__()
        self.drop, self.fc, self.waits = torch.nn.Dropout(), torch.nn.Linear(3 * 16 * 16, 4), waits

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.drop(x.flatten(1))
        return self.fc(x if not self.waits or float(x.sum()) < torch.inf else 2 * x)


@pytest.mark.parametrize("waits", [False, True], ids=["recorded", "fallen back"])
def test_dropout_draws_the_same_replayed_or_not(waits: bool, capsys: pytest.CaptureFixture[str]) -> None:
    networks = []
    for graphs in (True, False):
        device = Device("cuda", graphs=graphs)
        device.prepare()
        network = Dropping(waits)
        initialise(network, "kaiming_normal", stream(0, "initialisation"))
        train(network, {}, RECIPE, Resident(toy_dataset(300), RECIPE, 0, device.where), device)
        networks.append(network)
    assert same(*networks)
    assert ("cannot be recorded" in capsys.readouterr().out) == waits


@pytest.mark.parametrize("precision", ["bf16", "float32"])
@pytest.mark.parametrize("graphs", [True, False])
def test_four_trained_side_by_side_are_each_what_one_is_alone_bit_for_bit(precision: Any, graphs: bool) -> None:
    """Of two seeds; and a run alone is the same a second time, without which nothing could be."""
    device = Device("cuda", precision, graphs=graphs)
    device.prepare()
    data = {seed: Resident(toy_dataset(300), RECIPE, seed, device.where) for seed in (0, 1)}
    members = [(0, 0.5), (0, 0.1), (1, 0.5), (1, 0.1)]  # seed, density

    def trainee(seed: int, density: float) -> Trainee:
        network = resnet_cifar(4, (3, 16, 16), 20)
        initialise(network, "kaiming_normal", stream(seed, "initialisation"))
        masks = mask(target_of(network), score(network, magnitude, Batches(), seed), sparsify, density, seed, Notes())
        return Trainee(network, masks, data[seed])

    def run(trainees: list[Trainee]) -> list[tuple[torch.nn.Module, list[dict[str, float]], float]]:
        results = train_together(trainees, RECIPE, device)
        return [(one.network.cpu(), its.history, its.loss) for one, its in zip(trainees, results, strict=True)]

    alone, again = ([run([trainee(*member)])[0] for member in members] for _ in range(2))
    together = run([trainee(*member) for member in members])
    for found, what in ((again, "alone again"), (together, "side by side")):
        for one, other, member in zip(found, alone, members, strict=True):
            assert same(one[0], other[0]), f"{what}: {member}"
            assert one[1:] == other[1:], f"{what}: {member}"


@each_recipe
def test_pruned_weights_stay_zero(recipe: Recipe) -> None:
    network, masks, _ = trained(Device("cuda"), recipe=recipe)
    for name, kept in masks.items():
        weight = network.get_parameter(name).detach()
        assert not weight[~kept].any()
        assert bool((weight[kept] != 0).any())


def test_the_same_seed_gives_the_same_network_and_another_seed_another() -> None:
    first, _, loss = trained(Device("cuda"))
    second, _, again = trained(Device("cuda"))
    _, _, other = trained(Device("cuda"), seed=1)
    assert loss == again != other
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_float32_training_on_the_gpu_follows_the_cpu() -> None:
    _, _, cuda = trained(Device("cuda", "float32"))
    _, _, cpu = trained(Device("cpu"))
    assert cuda == pytest.approx(cpu, rel=0.05)


def test_leverages_and_masks_agree_with_the_cpu() -> None:
    scores = torch.rand(300, 40, dtype=torch.float64) * (torch.rand(300, 40) < 0.3)
    assert torch.allclose(leverage_scores(scores.cuda()).cpu(), leverage_scores(scores), atol=1e-12)
    network = resnet_cifar(4, (3, 16, 16), 20)
    initialise(network, "kaiming_normal", stream(0, "initialisation"))
    on_cpu = mask(target_of(network), score(network, magnitude, Batches(), 0), sparsify, 0.05, 0, Notes())
    there = copy.deepcopy(network).cuda()
    on_cuda = mask(target_of(there), score(there, magnitude, Batches(), 0), sparsify, 0.05, 0, Notes())
    same = sum(int((on_cpu[name] & on_cuda[name]).sum()) for name in on_cpu)
    assert same >= 0.999 * sum(int(m.sum()) for m in on_cpu.values())
