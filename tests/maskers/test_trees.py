"""Sparsify with guarantee=tree: connected layers where the budget allows, covered ones where it does not."""

from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pruneexp.errors import UserError
from pruneexp.graphs import spanning_tree
from pruneexp.layers import Layer, Notes
from pruneexp.maskers.sparsify import sparsify
from pruneexp.network.masks import Masks
from tests.graphs.oracles import Array, bipartite, pseudo_inverse_leverages, sampling_error
from tests.maskers.oracles import expected_inclusion
from tests.properties import PROPERTY

SHAPES = ((6, 3, 2, 2), (8, 6), (5, 8))


def network(*shapes: tuple[int, ...], seed: int = 0, zeros: float = 0.0) -> list[Layer]:
    generator = torch.Generator().manual_seed(seed)
    layers = []
    for k, shape in enumerate(shapes):
        score = 10 ** (-2 * torch.rand(shape, generator=generator, dtype=torch.float64))
        score[torch.rand(shape, generator=generator) < zeros] = 0.0
        layers.append(Layer(f"{k}.weight", score, torch.ones(shape, dtype=torch.bool)))
    return layers


def draw(layers: list[Layer], count: int, seed: int = 0, notes: Notes | None = None, **options: Any) -> Masks:
    density = count / sum(layer.size for layer in layers)
    generator = torch.Generator().manual_seed(seed)
    return sparsify(layers, density, generator, {} if notes is None else notes, guarantee="tree", **options)


def unfolded(values: torch.Tensor) -> Array:
    return np.asarray(values.reshape(len(values), -1).T.double().numpy())


def components(values: torch.Tensor) -> set[frozenset[int]]:
    """The components of a layer's graph, isolated vertices included."""
    return set(map(frozenset, nx.connected_components(bipartite(unfolded(values)))))


def affordable(layers: list[Layer], count: int) -> list[bool]:
    """In which layers every weight's probability is at least its leverage."""
    return [
        bool((p >= pseudo_inverse_leverages(unfolded(layer.score * layer.available)) - 1e-9).all())
        for layer, p in zip(layers, expected_inclusion(layers, count), strict=True)
    ]


@pytest.mark.parametrize("count", [35, 45, 48, 52, 60, 90, 150])
def test_every_layer_that_can_afford_a_tree_is_connected_and_the_count_is_exact(count: int) -> None:
    layers = network(*SHAPES)
    afford = affordable(layers, count)
    for seed in range(8):
        notes: Notes = {}
        masks = draw(layers, count, seed, notes)
        assert sum(int(mask.sum()) for mask in masks.values()) == count
        assert notes["tree_layers"] == sum(afford)
        assert notes["cover_layers"] == len(layers) - sum(afford)
        assert notes["inexact_trees"] == 0
        for layer, tree in zip(layers, afford, strict=True):
            assert not tree or len(components(masks[layer.name])) == 1


def test_the_budgets_tested_above_give_none_some_and_all_layers_a_tree() -> None:
    layers = network(*SHAPES)
    assert {sum(affordable(layers, count)) for count in (35, 45, 48, 52, 60, 90, 150)} >= {0, 3}


@settings(PROPERTY, max_examples=25)
@given(st.integers(0, 10_000), st.integers(0, 100), st.sampled_from([0.0, 0.3, 0.7]))
def test_a_layer_with_a_tree_falls_apart_no_more_than_its_scores(seed: int, extra: int, zeros: float) -> None:
    layers = network((4, 2, 2, 1), (5, 4), seed=seed, zeros=zeros)
    total = sum(layer.size for layer in layers)
    count = min(2 + extra % (total - 1), total)
    notes: Notes = {}
    masks = draw(layers, count, seed, notes)
    assert sum(int(mask.sum()) for mask in masks.values()) == count
    assert notes["tree_layers"] + notes["cover_layers"] == 2
    if notes["tree_layers"] == 2 and not notes["filled"]:
        for layer in layers:
            assert components(masks[layer.name]) == components(layer.score)


def test_weights_are_drawn_almost_as_often_as_their_probabilities_say() -> None:
    layers = network((4, 6), (3, 4))
    count, draws = 22, 500
    assert all(affordable(layers, count))
    taken = [np.zeros(tuple(layer.score.shape)) for layer in layers]
    for seed in range(draws):
        for total, mask in zip(taken, draw(layers, count, seed).values(), strict=True):
            total += mask.numpy()
    for total, want in zip(taken, expected_inclusion(layers, count), strict=True):
        # the rest is scaled to the count given each tree, which moves the frequencies a little
        assert (np.abs(total.T / draws - want) <= sampling_error(want, draws) + 0.05).all()


def test_where_the_budget_is_the_tree_alone_weights_are_drawn_by_their_leverages() -> None:
    layers = network((4, 5))
    count, draws = 8, 500
    taken = sum(draw(layers, count, seed)["0.weight"].double().numpy() for seed in range(draws))
    want = pseudo_inverse_leverages(unfolded(layers[0].score)).T
    assert (np.abs(taken / draws - want) <= sampling_error(np.clip(want, 0, 1), draws)).all()


def test_a_layer_that_cannot_afford_a_tree_is_covered_and_reported() -> None:
    layers = network((10, 12))
    for count in (4, 8, 10):
        notes: Notes = {}
        mask = draw(layers, count, 0, notes)["0.weight"]
        assert notes["cover_layers"] == 1
        assert notes["tree_layers"] == 0
        # a matching: every weight joins two channels of its own
        assert int(mask.any(dim=0).sum()) == int(mask.any(dim=1).sum()) == count
    mask = draw(layers, 15)["0.weight"]
    assert mask.any(dim=0).all()
    assert mask.any(dim=1).all()


def test_a_covered_layer_gets_its_share_of_the_weights() -> None:
    layers, count = network((30, 30), (6, 6), seed=1), 100
    assert affordable(layers, count) == [True, False]
    share = expected_inclusion(layers, count)[1].sum()
    assert abs(int(draw(layers, count)["1.weight"].sum()) - share) < 1.5


def test_unfinished_walks_are_reported_and_the_layers_are_connected_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spanning_tree, "STEPS_PER_VERTEX", 0)
    layers, notes = network(*SHAPES), Notes()
    masks = draw(layers, 100, 0, notes)
    assert notes["inexact_trees"] == notes["tree_layers"] == 3
    assert all(len(components(mask)) == 1 for mask in masks.values())


def test_a_weight_that_an_earlier_round_pruned_is_in_no_tree() -> None:
    layers = [
        Layer(layer.name, torch.where(gone, 1e3, layer.score), ~gone)
        for layer in network((6, 8), (5, 6))
        for gone in [torch.rand(layer.score.shape, generator=torch.Generator().manual_seed(1)) < 0.3]
    ]
    for seed in range(10):
        masks = draw(layers, 40, seed)
        assert not any(bool((masks[layer.name] & ~layer.available).any()) for layer in layers)
        assert all(len(components(masks[layer.name])) == 1 for layer in layers)


@pytest.mark.parametrize("options", [{"scope": "global"}, {"sampling": "paper"}])
def test_options_that_do_not_go_with_trees_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"guarantee=tree goes with scope=layerwise and sampling=systematic\.$"):
        draw(network(*SHAPES), 60, 0, **options)
