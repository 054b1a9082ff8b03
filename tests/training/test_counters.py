"""BatchNorm's counts of batches, which are out of the network during an epoch: those that PyTorch itself comes to."""

import copy
import dataclasses

import pytest
import torch
from torch import nn

from pruneexp.recipe import Recipe
from pruneexp.training.step import Counters
from pruneexp.training.train import train
from tests.training.test_train import CPU, resident, small

RECIPE = Recipe(epochs=3, batch_size=16, lr=0.05)
BATCHES = 4


class Normalised(nn.Module):
    """One of each: in one, two and three dimensions, the mean over all batches, a frozen one, one without statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.three = nn.BatchNorm1d(3), nn.BatchNorm2d(3), nn.BatchNorm3d(3)
        self.mean, self.still = nn.BatchNorm2d(3, momentum=None), nn.BatchNorm2d(3)
        self.bare = nn.BatchNorm2d(3, track_running_stats=False)

    def train(self, mode: bool = True) -> "Normalised":
        super().train(mode)
        self.still.eval()
        return self

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.bare(self.still(self.mean(self.two(images))))
        return self.three(self.one(x.flatten(2)).view_as(images).unsqueeze(2)).squeeze(2)


def counts(network: nn.Module) -> dict[str, int]:
    return {
        name.removesuffix(".num_batches_tracked"): int(value)
        for name, value in network.state_dict().items()
        if name.endswith(".num_batches_tracked")
    }


def test_the_counts_and_the_statistics_are_pytorchs_own() -> None:
    network = Normalised().train()
    other = copy.deepcopy(network)
    for epoch in (1, 2):
        counters = Counters(network)
        assert counts(network) == {"mean": BATCHES * (epoch - 1), "still": 0}  # which the forward pass needs, or leaves
        for _ in range(BATCHES):
            images = torch.randn(6, 3, 4, 4)
            assert torch.equal(network(images), other(images))
        counters.give_back(BATCHES)
        expected = dict.fromkeys(("one", "two", "three", "mean"), BATCHES * epoch) | {"still": 0}
        assert counts(network) == counts(other) == expected
    for name, value in other.state_dict().items():
        assert torch.equal(network.state_dict()[name], value), name
        assert network.state_dict()[name].dtype == value.dtype


def test_the_very_counters_come_back_once() -> None:
    network = Normalised().train()
    before = network.two.num_batches_tracked
    assert before is not None
    counters = Counters(network)
    assert network.two.num_batches_tracked is None
    counters.give_back(3)
    counters.give_back(3)
    assert network.two.num_batches_tracked is before
    assert int(before) == 3


@pytest.mark.parametrize("frozen", [0, 1])
def test_a_training_counts_its_batches(frozen: int) -> None:
    """And not those of frozen epochs, nor what is evaluated."""
    network = small()
    recipe = dataclasses.replace(RECIPE, frozen_epochs=frozen)
    train(network, {}, recipe, resident(recipe, count=90, validation=20), CPU)
    assert set(counts(network).values()) == {(RECIPE.epochs - frozen) * 5}
    assert len(counts(network)) == 2
