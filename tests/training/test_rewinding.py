"""A training that goes on from rewound weights makes the recipe's epochs from theirs on, in their own order and at their own rates."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from pruneexp.recipe import Recipe
from pruneexp.training.train import Trained, Trainee, train, train_together
from tests.training.test_checkpoint import Interrupted, checkpoint, same, with_dropout
from tests.training.test_checkpoint import run as interrupted_or_not
from tests.training.test_train import CPU, resident, small

# without momentum, which weights alone do not bring back, there is nothing else that one epoch leaves to the next
RECIPE = Recipe(
    epochs=4, batch_size=16, lr=0.05, momentum=0.0, weight_decay=5e-3, schedule="cosine", frozen_epochs=1, flip=True, shift=2
)  # fmt: skip


def run(network: nn.Module, recipe: Recipe = RECIPE, start: int = 0, epochs: int | None = None) -> Trained:
    return train(network, {}, recipe, resident(recipe, validation=20), CPU, epochs=epochs, start=start)


def rewound_to(epoch: int, make: Callable[[], nn.Module], recipe: Recipe = RECIPE) -> nn.Module:
    """A fresh network with the weights that a training has after so many epochs."""
    network, fresh = make(), make()
    run(network, recipe, epochs=epoch)
    fresh.load_state_dict(network.state_dict())
    return fresh


def figures(trained: Trained) -> tuple[float, float]:
    return trained.accuracy, trained.loss


@pytest.mark.parametrize("make", [small, with_dropout])
@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_dense_network_rewound_to_an_epoch_ends_as_its_first_training_did(
    make: Callable[[], nn.Module], epoch: int
) -> None:
    """Bit for bit, in all that it leaves."""
    whole, rewound = make(), rewound_to(epoch, make)
    expected = run(whole)
    assert not same(rewound, whole)
    found = run(rewound, start=epoch)
    assert same(rewound, whole)
    assert found.history == expected.history[epoch:]
    assert [row["epoch"] for row in found.history] == list(range(epoch, 4))
    assert figures(found) == figures(expected)


def test_the_momentum_begins_at_zero() -> None:
    """Those who rewind bring weights back, and no optimiser."""
    recipe = dataclasses.replace(RECIPE, momentum=0.9)
    whole, rewound, reference = small(), rewound_to(2, small, recipe), rewound_to(2, small, recipe)
    run(whole, recipe)
    run(rewound, recipe, start=2)
    assert not same(rewound, whole)
    reference.train()
    velocity = [torch.zeros_like(parameter) for parameter in reference.parameters()]
    data = resident(recipe, validation=20)
    for epoch in (2, 3):
        for images, labels in (batch for chunk in data.epoch(epoch) for batch in chunk):
            reference.zero_grad()
            functional.cross_entropy(reference(images), labels).backward()
            for parameter, moved in zip(reference.parameters(), velocity, strict=True):
                assert parameter.grad is not None
                moved.mul_(0.9).add_(parameter.grad + recipe.weight_decay * parameter.detach())
                parameter.data.sub_(recipe.learning_rate(epoch) * moved)
    for one, other in zip(rewound.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_an_epoch_is_the_recipes_for_milestones_too() -> None:
    recipe = dataclasses.replace(RECIPE, schedule="steps", milestones=(2, 3), frozen_epochs=0)
    rates = [row["learning_rate"] for row in run(small(), recipe, start=1).history]
    assert rates == pytest.approx([0.05, 0.005, 0.0005])


def test_networks_that_begin_with_different_epochs_are_trained_side_by_side_as_alone() -> None:
    starts = (0, 2, 1, 2)
    alone, together = [small() for _ in starts], [small() for _ in starts]
    expected = [run(network, start=start) for network, start in zip(alone, starts, strict=True)]
    data, ended = resident(RECIPE, validation=20), []
    trainees = [Trainee(network, {}, data, (), start) for network, start in zip(together, starts, strict=True)]
    found = train_together(trainees, RECIPE, CPU, (), lambda number, _: ended.append(number))
    assert ended == [1, 3, 2, 0]  # all go on at once, so that those with fewer epochs end first
    assert [trained.history for trained in found] == [trained.history for trained in expected]
    assert list(map(figures, found)) == list(map(figures, expected))
    assert all(same(one, other) for one, other in zip(together, alone, strict=True))


@pytest.mark.parametrize(("passes", "epoch"), [(3, None), (7, 3), (11, 4)])
def test_one_that_is_interrupted_goes_on_after_the_recipes_epoch(
    tmp_path: Path, passes: int, epoch: int | None
) -> None:
    """An epoch has five passes; the eleventh is the first of the test images."""
    whole, told = small(), list[str]()

    def part(network: nn.Module, passes: int = 0) -> Trained:
        hourly = checkpoint(tmp_path / "file", told, every=3600)
        return interrupted_or_not(network, hourly, passes=passes, start=2)

    expected = interrupted_or_not(whole, start=2)
    assert [row["epoch"] for row in expected.history] == [2, 3]
    with pytest.raises(Interrupted):
        part(small(), passes)
    assert (tmp_path / "file").exists() == (epoch is not None)
    resumed = small()
    found = part(resumed)
    assert told == ([] if epoch is None else [f"goes on after epoch {epoch} of 4"])
    assert found.history == expected.history
    assert figures(found) == figures(expected)
    assert same(resumed, whole)
