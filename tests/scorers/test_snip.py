"""SNIP against finite differences of the loss in a switch on each weight."""

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from pruneexp import UserError, prune
from pruneexp.data.batches import Batches
from pruneexp.pruning import Scores
from pruneexp.scorers.snip import snip

Array = npt.NDArray[np.float64]
IMAGES = torch.randn(6, 2, 4, 4, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 2, 1, 1, 0, 2])
SHIFT, SCALE = (0.3, -0.2, 0.1), (2.0, 0.5, 1.5)  # running statistics


def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = nn.Sequential(
            nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Tanh(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(12, 3)
        )
        norm = model[1]
        assert isinstance(norm, nn.BatchNorm2d)
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.uniform_(norm.bias, -0.5, 0.5)
        norm.running_mean.copy_(torch.tensor(SHIFT))  # type: ignore[union-attr]
        norm.running_var.copy_(torch.tensor(SCALE))  # type: ignore[union-attr]
    return model


def numbers(tensor: torch.Tensor) -> Array:
    return np.asarray(tensor.detach().double().numpy())


def loss(model: nn.Sequential, weights: dict[str, Array], count: int, batchnorm: str) -> float:
    """The mean cross-entropy of the network, written with numpy alone, one position of the convolution after another."""
    state = {name: numbers(value) for name, value in model.state_dict().items()} | weights
    images = numbers(IMAGES[:count])
    maps = np.zeros((count, 3, 2, 2))
    for y in range(2):
        for x in range(2):
            window = images[:, :, y : y + 3, x : x + 3]
            maps[:, :, y, x] = np.einsum("nchw,ochw->no", window, state["0.weight"]) + state["0.bias"]
    if batchnorm == "train":
        mean, variance = maps.mean(axis=(0, 2, 3)), maps.var(axis=(0, 2, 3))
    else:
        mean, variance = np.array(SHIFT), np.array(SCALE)
    normal = (maps - mean[:, None, None]) / np.sqrt(variance + 1e-5)[:, None, None]
    active = np.tanh(normal * state["1.weight"][:, None, None] + state["1.bias"][:, None, None])
    logits = active.reshape(count, 12) @ state["5.weight"].T + state["5.bias"]
    chosen = logits[np.arange(count), LABELS[:count].numpy()]
    return float((np.log(np.exp(logits).sum(axis=1)) - chosen).mean())


def scores(model: nn.Module, count: int = 6, **options: str) -> Scores:
    return snip(model, Batches(IMAGES, LABELS), torch.Generator(), samples=count, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("batchnorm", ["train", "eval"])
@pytest.mark.parametrize("count", [6, 4])
def test_a_score_is_the_losss_slope_in_a_switch_on_the_weight(batchnorm: str, count: int) -> None:
    model = network()
    got = scores(model, count, batchnorm=batchnorm)
    assert list(got) == ["0.weight", "5.weight"]
    step = 1e-5
    for name, score in got.items():
        assert score.dtype == torch.float64
        weight = numbers(model.state_dict()[name])
        want = np.zeros(weight.shape)
        for index in np.ndindex(weight.shape):
            ends = []
            for switch in (1 + step, 1 - step):
                switched = weight.copy()
                switched[index] *= switch
                ends.append(loss(model, {name: switched}, count, batchnorm))
            want[index] = abs(ends[0] - ends[1]) / (2 * step)
        assert np.abs(score.numpy() - want).max() < 1e-9
        assert want.max() > 1e-3


def test_batch_statistics_are_the_default_and_the_running_ones_give_other_scores() -> None:
    model = network()
    default, train, running = scores(model), scores(model, batchnorm="train"), scores(model, batchnorm="eval")
    assert all(torch.equal(default[name], train[name]) for name in default)
    assert not any(torch.allclose(default[name], running[name]) for name in default)


def test_the_networks_mode_does_not_matter() -> None:
    model = network()
    for batchnorm in ("train", "eval"):
        first = scores(model.train(), batchnorm=batchnorm)
        second = scores(model.eval(), batchnorm=batchnorm)
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_only_the_first_samples_count() -> None:
    model = network()
    short = snip(model, Batches(IMAGES[:4], LABELS[:4]), torch.Generator(), samples=4)
    assert all(torch.equal(value, short[name]) for name, value in scores(model, 4).items())


def test_a_pruned_weight_scores_zero() -> None:
    model = network()
    with torch.no_grad():
        model[5].get_parameter("weight")[:, 3] = 0.0
    got = scores(model)["5.weight"]
    assert (got[:, 3] == 0).all()
    assert (got[:, :3] > 0).all()


def test_fewer_samples_than_needed_are_refused() -> None:
    with pytest.raises(UserError, match=r"needs 7 training samples, and there are only 6\.$"):
        scores(network(), 7)
    with pytest.raises(UserError, match="needs 100 training samples, and there are only 6"):
        prune(network(), 0.5, scorer="snip", data=(IMAGES, LABELS))
    with pytest.raises(UserError, match="needs data"):
        prune(network(), 0.5, scorer="snip", example_input=IMAGES)


def test_an_unknown_batchnorm_mode_is_refused() -> None:
    with pytest.raises(UserError, match="train or eval, got 'both'"):
        scores(network(), batchnorm="both")
