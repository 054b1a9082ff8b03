"""Fine-tuning: frozen epochs, label smoothing, dropout."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from pruneexp.data.resident import Resident
from pruneexp.recipe import Recipe
from pruneexp.training.device import Device
from pruneexp.training.step import losses
from pruneexp.training.train import Trained, Trainee, train, train_together
from tests.helpers import toy_dataset

CPU = Device("cpu")


def network(dropout: float = 0.0) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=2), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(294, 8), nn.BatchNorm1d(8),
            nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 4),
        )  # fmt: skip


def recipe(epochs: int = 2, frozen: int = 0, smoothing: float = 0.0, momentum: float = 0.9) -> Recipe:
    return Recipe(
        epochs,
        16,
        0.05,
        momentum=momentum,
        weight_decay=0.01,
        schedule="cosine",
        frozen_epochs=frozen,
        label_smoothing=smoothing,
    )


def run(model: nn.Module, how: Recipe, seed: int = 0, epochs: int | None = None) -> Trained:
    return train(model, {}, how, Resident(toy_dataset(60), how, seed, CPU.where), CPU, epochs=epochs)


@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_frozen_epochs_move_the_classifier_alone_and_leave_all_else_bit_identical(momentum: float) -> None:
    model = network()
    before = copy.deepcopy(model.state_dict())
    result = run(model, recipe(2, frozen=2, momentum=momentum))
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"8.weight", "8.bias"}
    assert result.history[-1]["train/loss"] < result.history[0]["train/loss"]


def test_after_the_frozen_epochs_everything_moves_and_the_start_was_the_frozen_one() -> None:
    model, frozen = network(), network()
    before = copy.deepcopy(model.state_dict())
    whole = run(model, recipe(3, frozen=1))
    part = run(frozen, recipe(3, frozen=1), epochs=1)
    assert whole.history[0] == part.history[0]
    assert all(not torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_no_frozen_epoch_is_plain_training_and_frozen_ones_are_not() -> None:
    free, again, frozen = network(), network(), network()
    for model, count in ((free, 0), (again, 0), (frozen, 1)):
        run(model, recipe(2, frozen=count))
    assert torch.equal(free[0].weight, again[0].weight)  # type: ignore[arg-type]
    assert not torch.equal(free[0].weight, frozen[0].weight)  # type: ignore[arg-type]


def test_networks_trained_together_are_frozen_alike() -> None:
    models = [network(), network()]
    with torch.no_grad():
        models[1].get_parameter("8.weight").mul_(-1)
    before = [copy.deepcopy(model.state_dict()) for model in models]
    how = recipe(1, frozen=1)
    data = Resident(toy_dataset(60), how, 0, CPU.where)
    train_together([Trainee(model, {}, data) for model in models], how, CPU)
    for model, old in zip(models, before, strict=True):
        moved = {name for name, value in model.state_dict().items() if not torch.equal(value, old[name])}
        assert moved == {"8.weight", "8.bias"}


def test_label_smoothing_spreads_its_share_over_the_classes() -> None:
    logits = torch.tensor([[1.0, 2.0, -1.0, 0.5], [0.0, 0.0, 3.0, 0.0]])
    labels = torch.tensor([1, 2])
    log = torch.log_softmax(logits.double(), dim=1)
    want = [-(0.8 * float(log[k, label]) + 0.2 * float(log[k].mean())) for k, label in enumerate(labels.tolist())]
    assert losses(logits, labels, 0.2).tolist() == pytest.approx(want, rel=1e-6)
    assert losses(logits, labels).tolist() == pytest.approx([-float(log[0, 1]), -float(log[1, 2])], rel=1e-6)


def test_the_test_loss_is_not_smoothed_and_the_training_is() -> None:
    plain, smooth = network(), network()
    first, second = run(plain, recipe()), run(smooth, recipe(smoothing=0.3))
    assert not torch.equal(plain[0].weight, smooth[0].weight)  # type: ignore[arg-type]
    assert first.history != second.history
    data = Resident(toy_dataset(60), recipe(), 0, CPU.where)
    ((images, labels),) = data.batches(data.test)
    with torch.no_grad():
        assert second.loss == pytest.approx(float(functional.cross_entropy(smooth.eval()(images), labels)), rel=1e-5)


def test_dropout_follows_the_seed_and_leaves_the_global_stream_alone() -> None:
    models = [network(0.5) for _ in range(3)]
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    results = []
    for model, seed in zip(models, (0, 0, 1), strict=True):
        results.append(run(model, recipe(), seed))
        assert torch.equal(torch.random.get_rng_state(), state)
        torch.manual_seed(5 if seed == 0 else 6)
    assert results[0].history == results[1].history
    assert all(torch.equal(a, b) for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True))
    assert results[0].history != results[2].history
    assert math.isfinite(results[0].loss)
