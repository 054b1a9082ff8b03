"""SNIP against finite differences of the loss in a switch on each weight."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from pruneexp import UserError, prune
from pruneexp.data.batches import Batches
from pruneexp.maskers.greedy import greedy
from pruneexp.pruning.method import Method, Scores
from pruneexp.pruning.rounds import in_rounds
from pruneexp.scorers.snip import snip
from tests.helpers import target_of

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


def loss(model: nn.Sequential, weights: dict[str, Array], rows: Sequence[int], batchnorm: str) -> float:
    """The mean cross-entropy of the network, written with numpy alone, one position of the convolution after another."""
    state = {name: numbers(value) for name, value in model.state_dict().items()} | weights
    count = len(rows)
    images = numbers(IMAGES[list(rows)])
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
    chosen = logits[np.arange(count), LABELS[list(rows)].numpy()]
    return float((np.log(np.exp(logits).sum(axis=1)) - chosen).mean())


def scores(model: nn.Module, count: int = 6, **options: Any) -> Scores:
    return snip(model, Batches(IMAGES, LABELS), torch.Generator(), samples=count, **options)


def slopes(model: nn.Sequential, name: str, batches: Sequence[Sequence[int]], batchnorm: str) -> Array:
    """|the mean over batches of the loss's slope| in a switch on each weight, by central differences."""
    step, weight = 1e-5, numbers(model.state_dict()[name])
    want = np.zeros(weight.shape)
    for index in np.ndindex(weight.shape):
        ends = []
        for switch in (1 + step, 1 - step):
            switched = weight.copy()
            switched[index] *= switch
            ends.append(np.mean([loss(model, {name: switched}, rows, batchnorm) for rows in batches]))
        want[index] = abs(ends[0] - ends[1]) / (2 * step)
    return want


@pytest.mark.parametrize("batchnorm", ["train", "eval"])
@pytest.mark.parametrize("count", [6, 4])
def test_a_score_is_the_losss_slope_in_a_switch_on_the_weight(batchnorm: str, count: int) -> None:
    model = network()
    got = scores(model, count, batchnorm=batchnorm)
    assert list(got) == ["0.weight", "5.weight"]
    for name, score in got.items():
        assert score.dtype == torch.float64
        want = slopes(model, name, [range(count)], batchnorm)
        assert np.abs(score.numpy() - want).max() < 1e-9
        assert want.max() > 1e-3


def test_in_chunks_gradients_of_batches_with_statistics_of_their_own_are_averaged() -> None:
    model = network()
    for name, score in scores(model, chunk=3).items():
        want = slopes(model, name, [range(3), range(3, 6)], "train")
        assert np.abs(score.numpy() - want).max() < 1e-9
    whole, parts = scores(model, batchnorm="eval"), scores(model, batchnorm="eval", chunk=4)
    assert all(torch.allclose(whole[name], parts[name], rtol=1e-12, atol=1e-15) for name in whole)


def test_fresh_images_are_drawn_by_the_generator() -> None:
    model, batches = network(), Batches(IMAGES, LABELS)
    rows = torch.randperm(6, generator=torch.Generator().manual_seed(5))[:4].tolist()
    assert sorted(rows) != [0, 1, 2, 3]
    for name, score in snip(model, batches, torch.Generator().manual_seed(5), samples=4, fresh=True).items():
        assert np.abs(score.numpy() - slopes(model, name, [rows], "train")).max() < 1e-9


def test_each_round_sees_other_images() -> None:
    seen: list[set[int]] = []

    class Spied(Batches):
        def samples(self, *args: Any) -> tuple[torch.Tensor, torch.Tensor]:
            images, labels = super().samples(*args)
            seen.append({int((image == IMAGES).flatten(1).all(dim=1).nonzero()) for image in images})
            return images, labels

    for fresh in (True, False):
        scorer = functools.partial(snip, samples=3, fresh=fresh)
        in_rounds(Method(scorer, greedy, rounds=6), target_of(network()), 0.5, 0, Spied(IMAGES, LABELS))
    assert all(len(images) == 3 for images in seen)
    assert len({frozenset(images) for images in seen[:6]}) > 3
    assert seen[6:] == [{0, 1, 2}] * 6


def test_augmented_images_are_scored_in_place_of_the_images() -> None:
    def mirrored(rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        flip = torch.rand(len(rows), generator=generator) < 0.5
        assert 0 < flip.sum() < len(rows)
        return torch.where(flip[:, None, None, None], IMAGES[rows].flip(3), IMAGES[rows])

    model = network()
    got = snip(
        model, Batches(IMAGES, LABELS, augment=mirrored), torch.Generator().manual_seed(0), samples=5, augment=True
    )
    images = mirrored(torch.arange(5), torch.Generator().manual_seed(0))
    want = snip(model, Batches(images, LABELS[:5]), torch.Generator(), samples=5)
    assert all(torch.equal(got[name], want[name]) for name in want)
    assert not any(torch.allclose(got[name], value) for name, value in scores(model, 5).items())


def test_images_that_come_without_a_recipe_cannot_be_augmented() -> None:
    with pytest.raises(
        UserError, match=r"and these come without one: augment them yourself and set scorer\.augment=false"
    ):
        scores(network(), augment=True)
    data = IMAGES.repeat(22, 1, 1, 1), LABELS.repeat(22)
    with pytest.raises(UserError, match=r"come without one"):
        prune(network(), 0.5, scorer="snip_published", data=data)
    masks = prune(network(), 0.5, scorer="snip_published", data=data, overrides=("scorer.augment=false",))
    assert sum(int(mask.sum()) for mask in masks.values()) == 45


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
