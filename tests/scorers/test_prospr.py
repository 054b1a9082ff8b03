"""ProsPr against central finite differences through a plain training loop of torch.optim.SGD."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from pruneexp import UserError, prune
from pruneexp.data.batches import Batches
from pruneexp.pruning.method import Scores
from pruneexp.scorers.prospr import prospr

SAMPLES, LR = 5, 0.3
IMAGES = torch.randn(20, 1, 4, 4, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 2, 1, 1, 0, 2, 0, 0, 1, 2, 1, 1, 0, 2, 2, 0, 1, 0, 2, 1])


def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = nn.Sequential(
            nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Tanh(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(8, 3)
        )
        nn.init.uniform_(model[1].get_parameter("weight"), 0.5, 1.5)
        nn.init.uniform_(model[1].get_parameter("bias"), -0.5, 0.5)
        nn.init.uniform_(model[1].get_buffer("running_mean"), -0.3, 0.3)
        nn.init.uniform_(model[1].get_buffer("running_var"), 0.5, 2.0)
    return model


def scores(model: nn.Module, **options: Any) -> Scores:
    given: dict[str, Any] = {"samples": SAMPLES, "lr": LR, **options}
    return prospr(model, Batches(IMAGES, LABELS), torch.Generator(), **given)


def batch_loss(model: nn.Module, number: int) -> torch.Tensor:
    rows = slice(number * SAMPLES, (number + 1) * SAMPLES)
    return functional.cross_entropy(model(IMAGES[rows].double()), LABELS[rows])


def trained(
    model: nn.Sequential, steps: int, momentum: float, batchnorm: str, like: nn.Sequential | None = None
) -> nn.Sequential:
    """A float64 copy after `steps` steps, the first of which takes the gradient of `like`, if given."""
    twin = copy.deepcopy(model).double().train()
    twin[3].eval()
    twin[1].train(batchnorm == "train")
    optimizer = torch.optim.SGD(twin.parameters(), lr=LR, momentum=momentum)
    for step in range(steps):
        optimizer.zero_grad()
        batch_loss(twin, step).backward()
        if like is not None and step == 0:
            other = trained(like, 0, momentum, batchnorm)
            batch_loss(other, 0).backward()
            for parameter, given in zip(twin.parameters(), other.parameters(), strict=True):
                parameter.grad = given.grad
        optimizer.step()
    return twin


def slopes(
    model: nn.Sequential, name: str, steps: int, momentum: float, batchnorm: str, detached: bool
) -> torch.Tensor:
    """The loss's slope after training in a switch on each weight, by central differences."""
    part, want = 1e-5, torch.zeros_like(model.get_parameter(name), requires_grad=False)
    for index in np.ndindex(want.shape):
        ends = []
        for switch in (1 + part, 1 - part):
            switched = copy.deepcopy(model)
            with torch.no_grad():
                switched.get_parameter(name)[index] *= switch
            end = trained(switched, steps, momentum, batchnorm, model if detached else None)
            ends.append(batch_loss(end, steps).item())
        want[index] = abs(ends[0] - ends[1]) / (2 * part)
    return want


@pytest.mark.parametrize("batchnorm", ["train", "eval"])
@pytest.mark.parametrize(("steps", "momentum"), [(1, 0.9), (3, 0.9), (2, 0.0), (3, 0.5)])
def test_a_score_is_the_slope_of_the_loss_after_training_in_a_switch_on_the_weight(
    steps: int, momentum: float, batchnorm: str
) -> None:
    model = network().double()
    got = scores(model, steps=steps, momentum=momentum, batchnorm=batchnorm)
    assert list(got) == ["0.weight", "5.weight"]
    for name, score in got.items():
        assert score.dtype == torch.float64
        want = slopes(model, name, steps, momentum, batchnorm, detached=False)
        assert (score - want).abs().max() < 1e-8
        assert want.max() > 1e-2


@pytest.mark.parametrize(("steps", "momentum"), [(1, 0.9), (3, 0.9)])
def test_detached_the_first_steps_gradient_is_a_constant(steps: int, momentum: float) -> None:
    model = network().double()
    got = scores(model, steps=steps, momentum=momentum, detach_first=True)
    whole = scores(model, steps=steps, momentum=momentum)
    for name, score in got.items():
        want = slopes(model, name, steps, momentum, "train", detached=True)
        assert (score - want).abs().max() < 1e-8
        assert not torch.allclose(score, whole[name], rtol=1e-2, atol=0)
    if steps == 1:  # nothing is left of the steps' dependence on the weights
        first = scores(model, steps=1, momentum=momentum, first_order=True)
        assert all(torch.equal(got[name], first[name]) for name in got)


@pytest.mark.parametrize("batchnorm", ["train", "eval"])
@pytest.mark.parametrize(("steps", "momentum"), [(1, 0.9), (3, 0.9), (3, 0.0)])
def test_first_order_is_the_gradient_at_the_trained_weights_times_the_initial_weight(
    steps: int, momentum: float, batchnorm: str
) -> None:
    model = network()
    got = scores(model, steps=steps, momentum=momentum, batchnorm=batchnorm, first_order=True)
    end = trained(model, steps, momentum, batchnorm)
    whole = scores(model, steps=steps, momentum=momentum, batchnorm=batchnorm)
    for name, score in got.items():
        (slope,) = torch.autograd.grad(batch_loss(end, steps), [end.get_parameter(name)])
        want = (slope * model.get_parameter(name).detach().double()).abs()
        torch.testing.assert_close(score, want, rtol=1e-9, atol=1e-13)
        assert not torch.allclose(score, whole[name], rtol=1e-2, atol=0)


def test_the_defaults_are_second_order_batch_statistics_three_steps_and_momentum() -> None:
    given = scores(network(), steps=3, momentum=0.9, first_order=False, batchnorm="train")
    default = scores(network())
    assert all(torch.equal(default[name], value) for name, value in given.items())


def test_the_networks_mode_does_not_matter() -> None:
    for batchnorm in ("train", "eval"):
        first = scores(network().train(), batchnorm=batchnorm)
        second = scores(network().eval(), batchnorm=batchnorm)
        assert all(torch.equal(first[name], value) for name, value in second.items())


def test_a_pruned_weight_scores_zero_though_the_steps_move_it() -> None:
    model = network()
    with torch.no_grad():
        model[5].get_parameter("weight")[:, 3] = 0.0
    got = scores(model)["5.weight"]
    assert (got[:, 3] == 0).all()
    assert (got[:, :3] > 0).all()


def test_only_the_batches_asked_for_count() -> None:
    images = IMAGES.clone()
    images[15:] = 100.0
    changed = prospr(network(), Batches(images, LABELS), torch.Generator(), steps=2, samples=SAMPLES, lr=LR)
    want = scores(network(), steps=2)
    assert all(torch.equal(changed[name], value) for name, value in want.items())


def test_fewer_samples_than_one_batch_more_than_the_steps_are_refused() -> None:
    scores(network(), steps=3, samples=5)
    with pytest.raises(UserError, match=r"needs 25 training samples, and there are only 20\.$"):
        scores(network(), steps=4)
    with pytest.raises(UserError, match=r"needs 24 training samples, and there are only 20\.$"):
        scores(network(), steps=3, samples=6)
    with pytest.raises(UserError, match="needs 512 training samples, and there are only 20"):
        prune(network(), 0.5, scorer="prospr", data=(IMAGES, LABELS))
    with pytest.raises(UserError, match="needs data"):
        prune(network(), 0.5, scorer="prospr", example_input=IMAGES)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"steps": 0}, r"prospr's steps must be a whole number, at least 1, got 0"),
        ({"steps": 1.0}, r"prospr's steps must be a whole number, at least 1, got 1\.0"),
        ({"samples": 0}, r"prospr's samples must be a whole number, at least 1, got 0"),
        ({"lr": 0}, r"prospr's lr must be a finite number, above 0, got 0"),
        ({"lr": float("inf")}, r"prospr's lr must be a finite number, above 0, got inf"),
        ({"momentum": -0.1}, r"prospr's momentum must be a finite number, at least 0 and below 1, got -0\.1"),
        ({"momentum": float("nan")}, r"prospr's momentum must be a finite number, at least 0 and below 1, got nan"),
        ({"momentum": True}, r"prospr's momentum must be a finite number, at least 0 and below 1, got True"),
        ({"momentum": 1.0}, r"prospr's momentum must be a finite number, at least 0 and below 1, got 1\.0"),
        ({"batchnorm": "both"}, "train or eval, got 'both'"),
    ],
)
def test_options_out_of_their_range_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        scores(network(), **options)


@pytest.mark.parametrize("option", ["first_order", "detach_first"])
@pytest.mark.parametrize("value", ["no", 2, None])
def test_what_is_left_out_is_said_by_true_or_false(option: str, value: object) -> None:
    with pytest.raises(UserError, match=option):
        scores(network(), **{option: value})
