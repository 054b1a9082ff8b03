"""Sparsify: probabilities, draws, and what it does with zero scores."""

from typing import Any

import numpy as np
import pytest
import torch

from pruneexp.allocations.leverage import inclusion, layer_leverages
from pruneexp.errors import UserError
from pruneexp.layers import Layer, Notes
from pruneexp.maskers.sparsify import sparsify
from pruneexp.network.masks import Masks
from tests.graphs.oracles import sampling_error
from tests.maskers.oracles import expected_inclusion


def layer(score: torch.Tensor, name: str = "weight") -> Layer:
    return Layer(name, score, torch.ones_like(score, dtype=torch.bool))


def network(*shapes: tuple[int, ...]) -> list[Layer]:
    generator = torch.Generator().manual_seed(0)
    return [
        layer(10 ** (-3 * torch.rand(shape, generator=generator, dtype=torch.float64)), f"{k}.weight")
        for k, shape in enumerate(shapes)
    ]


def one_draw(
    layers: list[Layer], count: int, seed: int = 0, sampling: Any = "systematic", notes: Notes | None = None
) -> Masks:
    total = sum(layer.size for layer in layers)
    return sparsify(
        layers, count / total, torch.Generator().manual_seed(seed), {} if notes is None else notes, sampling
    )


def zero_scores_but(positive: int, shape: tuple[int, int] = (10, 11)) -> Layer:
    """The first `positive` weights of the first rows score 1, 2, ...; all others zero."""
    score = torch.zeros(shape, dtype=torch.float64)
    score.view(-1)[:positive] = torch.arange(1, positive + 1, dtype=torch.float64)
    return layer(score)


def test_probabilities_follow_the_paper_with_one_eps_for_the_network() -> None:
    layers = network((6, 2, 3, 3), (4, 6), (9, 5))
    for count in (3, 20, 60):
        got = inclusion(layers, layer_leverages(layers, "layerwise", "channel", "none"), count, {})
        for p, want, part in zip(got, expected_inclusion(layers, count), layers, strict=True):
            assert p.shape == part.score.shape
            assert np.abs(p.reshape(len(p), -1).T - want).max() < 1e-9


def test_weights_are_drawn_as_often_as_their_probabilities_say() -> None:
    layers = network((4, 1, 2, 2), (3, 4))
    count, draws = 9, 2000
    taken = [np.zeros(part.score.shape) for part in layers]
    for seed in range(draws):
        for total, mask in zip(taken, one_draw(layers, count, seed).values(), strict=True):
            total += mask.numpy()
    for total, want in zip(taken, expected_inclusion(layers, count), strict=True):
        frequency = (total / draws).reshape(len(total), -1).T
        assert (np.abs(frequency - want) <= sampling_error(want, draws)).all()


def test_an_edge_that_alone_holds_the_graph_together_is_kept_however_small_its_score() -> None:
    score = torch.ones(8, 8, dtype=torch.float64)
    score[:4, 4:] = score[4:, :4] = 0.0
    score[0, 4] = 1e-6
    for seed in range(20):
        assert one_draw([layer(score)], 20, seed)["weight"][0, 4]


def test_the_unit_of_the_scores_does_not_matter() -> None:
    layers = network((6, 2, 3, 3), (4, 6))
    scaled = [Layer(part.name, part.score * 2.0**-40, part.available) for part in layers]
    assert all(
        torch.equal(a, b) for a, b in zip(one_draw(layers, 30).values(), one_draw(scaled, 30).values(), strict=True)
    )


def test_another_seed_draws_something_else() -> None:
    layers = network((10, 10))
    assert not torch.equal(one_draw(layers, 30, 0)["0.weight"], one_draw(layers, 30, 1)["0.weight"])


@pytest.mark.parametrize("sampling", ["systematic", "paper"])
def test_nothing_is_filled_where_enough_scores_are_positive(sampling: str) -> None:
    notes: Notes = {}
    part = zero_scores_but(40)
    mask = one_draw([part], 40, 0, sampling, notes)["weight"]
    assert notes["filled"] == 0
    assert torch.equal(mask, part.score > 0)


def test_filling_keeps_every_positive_score_and_says_how_many_were_filled() -> None:
    part = zero_scores_but(10)
    for seed in range(50):
        notes: Notes = {}
        mask = one_draw([part], 13, seed, notes=notes)["weight"]
        assert mask[part.score > 0].all()
        assert mask.sum() == 13
        assert notes["filled"] == 3


def test_filling_keeps_every_positive_score_with_the_papers_draw_too() -> None:
    part = zero_scores_but(10)
    for seed in range(50):
        assert one_draw([part], 13, seed, "paper")["weight"][part.score > 0].all()


def test_filling_is_uniform_over_the_zero_scores_of_all_layers_that_no_round_pruned() -> None:
    empty = torch.zeros(3, 5, dtype=torch.float64)
    available = torch.ones(3, 5, dtype=torch.bool)
    available[0] = False
    layers = [zero_scores_but(2, (2, 3)), Layer("empty", empty, available)]
    draws, taken = 1000, np.zeros(21)
    for seed in range(draws):
        masks = one_draw(layers, 5, seed)
        taken += torch.cat([mask.ravel() for mask in masks.values()]).numpy()
    # two positive scores, then three of 4 + 10 zero ones
    want = np.array([1.0] * 2 + [3 / 14] * 4 + [0.0] * 5 + [3 / 14] * 10)
    assert (np.abs(taken / draws - want) <= sampling_error(want, draws)).all()


def test_the_count_is_exact_beside_scores_that_vanish_in_rounding() -> None:
    score = torch.full((4, 4), 1e-20, dtype=torch.float64)
    score[torch.eye(4, dtype=torch.bool) | torch.eye(4, dtype=torch.bool).roll(1, 1).triu()] = 1.0
    assert int((score == 1).sum()) == 7  # a spanning tree
    assert one_draw([layer(score)], 7)["weight"].sum() == 7


def test_negative_scores_are_refused_with_the_layers_name() -> None:
    with pytest.raises(UserError, match=r"non-negative scores, and fc\.weight has negative ones"):
        one_draw([layer(torch.tensor([[1.0, -1.0], [1.0, 1.0]]), "fc.weight")], 2)


def test_a_negative_score_that_an_earlier_round_pruned_does_no_harm() -> None:
    score = torch.tensor([[1.0, -1.0], [1.0, 1.0]])
    mask = sparsify([Layer("weight", score, score > 0)], 0.5, torch.Generator(), {})["weight"]
    assert mask.sum() == 2
    assert not mask[0, 1]


def test_an_unknown_sampling_is_refused_with_those_that_exist() -> None:
    with pytest.raises(UserError, match="systematic or paper, got 'gumbel'"):
        one_draw(network((4, 4)), 5, sampling="gumbel")


def test_the_papers_sampling_can_be_chosen_and_differs() -> None:
    layers = network((12, 12))
    masks = [
        one_draw(layers, 40, seed, sampling)["0.weight"] for seed in range(5) for sampling in ("systematic", "paper")
    ]
    assert all(mask.sum() == 40 for mask in masks)
    assert any(not torch.equal(a, b) for a, b in zip(masks[::2], masks[1::2], strict=True))
