"""Greedy's scopes against sorting by hand."""

from typing import Any

import numpy as np
import pytest
import torch

from pruneexp.errors import UserError
from pruneexp.layers import Layer, highest
from pruneexp.maskers.greedy import greedy
from pruneexp.network.masks import Masks
from tests.maskers.oracles import expected_inclusion

SHAPES = [(12, 3, 3, 3), (6, 12, 3, 3), (40, 54), (5, 40)]


def network(seed: int = 0, ties: bool = False) -> list[Layer]:
    generator = torch.Generator().manual_seed(seed)
    layers = []
    for k, shape in enumerate(SHAPES):
        score = torch.rand(shape, generator=generator, dtype=torch.float64) * (k + 1)
        score = (3 * score).floor() if ties else score
        layers.append(Layer(f"{k}.weight", score, torch.ones(shape, dtype=torch.bool)))
    return layers


def masks_of(layers: list[Layer], density: float, scope: Any) -> Masks:
    return greedy(layers, density, torch.Generator(), {}, scope)


def ranked(values: list[float]) -> list[int]:
    """Positions by falling value, of equals the first first."""
    return sorted(range(len(values)), key=lambda position: (-values[position], position))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("density", [0.5, 0.1, 0.01])
def test_global_keeps_the_highest_scores_of_the_whole_network(density: float, ties: bool) -> None:
    layers = network(ties=ties)
    values = [value for layer in layers for value in layer.score.ravel().tolist()]
    want = set(ranked(values)[: round(density * len(values))])
    got = torch.cat([mask.ravel() for mask in masks_of(layers, density, "global").values()])
    assert set(got.nonzero()[:, 0].tolist()) == want


@pytest.mark.parametrize("scope", ["layerwise", "matched"])
@pytest.mark.parametrize("ties", [False, True])
def test_each_layer_keeps_its_own_highest_scores(scope: str, ties: bool) -> None:
    layers = network(ties=ties)
    masks = masks_of(layers, 0.1, scope)
    for layer in layers:
        mask = masks[layer.name].ravel()
        want = set(ranked(layer.score.ravel().tolist())[: int(mask.sum())])
        assert set(mask.nonzero()[:, 0].tolist()) == want


@pytest.mark.parametrize("density", [0.9, 0.5, 0.1, 0.03])
def test_layerwise_has_the_same_density_in_every_layer(density: float) -> None:
    layers = network()
    for name, mask in masks_of(layers, density, "layerwise").items():
        assert abs(int(mask.sum()) - density * mask.numel()) < 1.5, name


@pytest.mark.parametrize("density", [0.3, 0.1, 0.03])
def test_matched_takes_as_many_of_each_layer_as_sparsify_does_in_expectation(density: float) -> None:
    layers = network()
    count = round(density * sum(layer.size for layer in layers))
    expected = np.array([p.sum() for p in expected_inclusion(layers, count)])
    counts = np.array([int(mask.sum()) for mask in masks_of(layers, density, "matched").values()])
    up = np.argsort(-(expected % 1), kind="stable")[: count - int(np.floor(expected).sum())]
    want = np.floor(expected)
    want[up] += 1
    assert counts.tolist() == want.tolist()
    # and that is not what the other scopes take
    layerwise = [int(mask.sum()) for mask in masks_of(layers, density, "layerwise").values()]
    assert np.abs(counts - layerwise).max() > 5


def test_the_generator_does_not_matter() -> None:
    layers = network()
    for scope in ("layerwise", "global", "matched"):
        first = greedy(layers, 0.1, torch.Generator().manual_seed(1), {}, scope)
        second = greedy(layers, 0.1, torch.Generator().manual_seed(2), {}, scope)
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_negative_scores_rank_below_positive_ones() -> None:
    layer = Layer("weight", torch.tensor([[-3.0, 2.0], [0.0, -1.0]]), torch.ones(2, 2, dtype=torch.bool))
    assert masks_of([layer], 0.75, "global")["weight"].tolist() == [[False, True], [True, True]]


def test_an_unknown_scope_is_refused_with_those_that_exist() -> None:
    with pytest.raises(UserError, match="layerwise, global or matched, got 'local'"):
        masks_of(network(), 0.1, "local")


@pytest.mark.parametrize("count", [0, 1, 4, 5, 9, 10])
def test_highest_breaks_ties_by_index(count: int) -> None:
    values = [1.0, 3.0, 2.0, 3.0, 0.0, 2.0, 2.0, -np.inf, 1.0, 2.0]
    assert np.flatnonzero(highest(np.array(values), count)).tolist() == sorted(ranked(values)[:count])


def test_half_precision_scores_are_ranked_too() -> None:
    layer = Layer("weight", torch.tensor([[1.0, 2.0]], dtype=torch.bfloat16), torch.ones(1, 2, dtype=torch.bool))
    assert masks_of([layer], 0.5, "global")["weight"].tolist() == [[False, True]]
