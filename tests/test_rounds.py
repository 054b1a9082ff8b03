"""Scoring and masking in turns."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import nn

import pruneexp
from pruneexp import UserError
from pruneexp.data.batches import Batches
from pruneexp.layers import Layer, Layers, Notes
from pruneexp.maskers.greedy import greedy
from pruneexp.maskers.sparsify import sparsify
from pruneexp.network.masks import Masks, apply_masks
from pruneexp.network.prunable import prunable
from pruneexp.pruning.masking import mask
from pruneexp.pruning.method import Masker, Method, Scorer, Scores
from pruneexp.pruning.rounds import Pruned, in_rounds, share_left
from pruneexp.pruning.scoring import score
from pruneexp.scorers.magnitude import magnitude
from pruneexp.scorers.synflow import synflow
from tests.helpers import target_of

SHAPE = Batches(input_shape=(2, 6, 6))


def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(96, 8), nn.ReLU(), nn.Linear(8, 3)
        )


def total(model: nn.Module) -> int:
    return sum(weight.numel() for weight in prunable(model).values())


def kept(masks: Masks) -> int:
    return sum(int(value.sum()) for value in masks.values())


def in_turns(
    model: nn.Module,
    scorer: Scorer,
    masker: Masker,
    density: float,
    seed: int,
    batches: Batches,
    rounds: int,
    round_masker: str = "masker",
    round_counts: str = "nearest",
) -> Pruned:
    method = Method(scorer, masker, rounds=rounds, round_masker=round_masker, round_counts=round_counts)
    return in_rounds(method, target_of(model), density, seed, batches)


class Spy:
    """A masker that writes down what it is given and passes it on."""

    def __init__(self, inner: Masker = greedy) -> None:
        self.inner = inner
        self.densities: list[float] = []
        self.layers: list[Sequence[Layer]] = []
        self.numbers: list[int] = []
        self.masks: list[Masks] = []

    def __call__(self, layers: Sequence[Layer], density: float, generator: torch.Generator, notes: Notes) -> Masks:
        self.densities.append(density)
        self.layers.append(layers)
        state = generator.get_state()
        self.numbers.append(int(torch.randint(2**62, (), generator=generator)))
        generator.set_state(state)
        self.masks.append(self.inner(layers, density, generator, notes))
        return self.masks[-1]


@pytest.mark.parametrize(("density", "rounds"), [(0.1, 5), (0.02, 3), (0.5, 1), (0.05, 20)])
def test_densities_fall_exponentially_and_the_last_is_the_one_asked_for(density: float, rounds: int) -> None:
    model, spy = network(), Spy()
    masks = in_turns(model, magnitude, spy, density, 0, Batches(), rounds).masks
    want = [density ** (k / rounds) for k in range(1, rounds + 1)]
    assert spy.densities == pytest.approx(want, rel=1e-12)
    assert [kept(found) for found in spy.masks] == [round(share * total(model)) for share in want]
    assert kept(masks) == round(density * total(model))
    assert all(torch.equal(masks[name], last) for name, last in spy.masks[-1].items())


@pytest.mark.parametrize("round_masker", ["masker", "greedy"])
@pytest.mark.parametrize(("density", "rounds"), [(0.1, 5), (0.021, 3), (0.5, 1), (0.0506, 20)])
def test_the_weights_of_the_network_are_counted_as_the_authors_of_a_method_do(
    density: float, rounds: int, round_masker: str
) -> None:
    model, seen = network(), list[int]()
    shares = [density ** (k / rounds) for k in range(1, rounds)]
    counted = {
        "nearest": [round(share * total(model)) for share in shares],
        "up": [total(model) - int((1 - share) * total(model)) for share in shares],
        "down": [int(share * total(model)) for share in shares],
    }

    def scorer(model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores:
        seen.append(sum(int(weight.count_nonzero()) for weight in prunable(model).values()))
        return magnitude(model, batches, generator)

    assert rounds == 1 or len({tuple(counts) for counts in counted.values()}) > 2
    for counts, want in counted.items():
        seen.clear()
        masks = in_turns(model, scorer, greedy, density, 0, Batches(), rounds, round_masker, counts).masks
        assert seen == [total(model), *want]
        assert kept(masks) == round(density * total(model))  # as every mask


def test_counting_down_leaves_enough_for_the_last_round() -> None:
    assert int(0.0106 ** (999 / 1000) * 900) < round(0.0106 * 900)
    assert share_left(0.0106, 999, 1000, 900, "down") * 900 == 10


@pytest.mark.parametrize("inner", [greedy, sparsify])
def test_a_pruned_weight_never_comes_back(inner: Masker) -> None:
    spy = Spy(inner)
    in_turns(network(), synflow, spy, 0.03, 0, SHAPE, 8)
    for earlier, later in zip(spy.masks, spy.masks[1:], strict=False):
        assert not any(bool((later[name] & ~earlier[name]).any()) for name in later)
    for layers, earlier in zip(spy.layers[1:], spy.masks, strict=False):
        assert all(torch.equal(layer.available, earlier[layer.name]) for layer in layers)
    assert all(bool(layer.available.all()) for layer in spy.layers[0])


def test_each_round_scores_the_network_as_pruned_so_far() -> None:
    seen: list[dict[str, torch.Tensor]] = []

    def scorer(model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores:
        seen.append({name: weight.detach().clone() for name, weight in prunable(model).items()})
        return magnitude(model, batches, generator)

    model, spy = network(), Spy()
    in_turns(model, scorer, spy, 0.1, 0, Batches(), 4)
    assert len(seen) == 4
    weights = prunable(model)
    assert all(torch.equal(seen[0][name], weights[name]) for name in weights)
    for state, masks in zip(seen[1:], spy.masks, strict=False):
        assert all(torch.equal(state[name], weights[name] * masks[name]) for name in weights)


def test_rounds_are_those_of_a_loop_by_hand() -> None:
    model, pruned, masks = network(), network(), Masks()
    for k in range(1, 5):
        scores = synflow(pruned, SHAPE, torch.Generator())
        masks = mask(replace(target_of(model), previous=masks), scores, sparsify, 0.05 ** (k / 4), 3, {}, k)
        apply_masks(pruned, masks)
    got = in_turns(model, synflow, sparsify, 0.05, 3, SHAPE, 4).masks
    assert len(masks) == 3
    assert all(torch.equal(got[name], value) for name, value in masks.items())


def test_more_rounds_find_other_weights() -> None:
    once, often = (in_turns(network(), synflow, greedy, 0.05, 0, SHAPE, rounds).masks for rounds in (1, 20))
    assert kept(once) == kept(often)
    assert any(not torch.equal(once[name], often[name]) for name in once)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("round_masker", ["masker", "greedy"])
def test_the_model_and_the_global_generator_are_left_as_they_were(training: bool, round_masker: str) -> None:
    model = network().train(training)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    random = torch.random.get_rng_state()
    in_turns(model, synflow, sparsify, 0.05, 0, SHAPE, 3, round_masker)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert model.training is training
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    assert torch.equal(torch.random.get_rng_state(), random)


def test_one_round_is_scoring_and_masking_once() -> None:
    model = network()
    scores = score(model, magnitude, Batches(), 5)
    whole = target_of(model)
    drawn = mask(whole, scores, sparsify, 0.1, 5, {}, part=1)
    got = in_turns(model, magnitude, sparsify, 0.1, 5, Batches(), 1).masks
    assert all(torch.equal(got[name], value) for name, value in drawn.items())
    # nothing is drawn by greedy, so that the stream's purpose does not matter to it
    got = in_turns(model, magnitude, greedy, 0.1, 5, Batches(), 1).masks
    assert all(torch.equal(got[name], value) for name, value in mask(whole, scores, greedy, 0.1, 5, {}).items())


def test_every_round_and_seed_has_a_random_stream_of_its_own() -> None:
    numbers = []
    for seed in (0, 1):
        spy = Spy()
        in_turns(network(), magnitude, spy, 0.1, seed, Batches(), 5)
        numbers += spy.numbers
        again = Spy()
        in_turns(network(), magnitude, again, 0.1, seed, Batches(), 5)
        assert again.numbers == spy.numbers
    assert len(set(numbers)) == 10


def test_greedy_rounds_keep_the_highest_scores_of_the_network_until_the_masker_makes_the_last() -> None:
    model, spy = network(), Spy(sparsify)
    masks = in_turns(model, synflow, spy, 0.05, 0, SHAPE, 4, "greedy").masks
    assert spy.densities == [0.05]
    assert all(torch.equal(masks[name], value) for name, value in spy.masks[0].items())
    # what the masker may choose from is what three rounds of greedy by hand leave
    pruned, left = network(), None
    for k in (1, 2, 3):
        scores = synflow(pruned, SHAPE, torch.Generator())
        every = torch.cat([scores[name].ravel() for name in scores])
        ranked = every.argsort(descending=True, stable=True)[: round(0.05 ** (k / 4) * len(every))]
        left = torch.zeros(len(every), dtype=torch.bool)
        left[ranked] = True
        ends = left.split([value.numel() for value in scores.values()])
        apply_masks(pruned, {name: part.reshape(scores[name].shape) for name, part in zip(scores, ends, strict=True)})
    assert left is not None
    assert torch.equal(torch.cat([layer.available.ravel() for layer in spy.layers[0]]), left)
    assert not (torch.cat([value.ravel() for value in masks.values()]) & ~left).any()


def test_greedy_rounds_differ_from_the_maskers_own() -> None:
    own, other = (in_turns(network(), synflow, sparsify, 0.05, 0, SHAPE, 4, who).masks for who in ("masker", "greedy"))
    assert kept(own) == kept(other)
    assert any(not torch.equal(own[name], other[name]) for name in own)


def test_maskers_see_how_the_layers_join_in_every_round() -> None:
    spy = Spy()
    in_turns(network(), magnitude, spy, 0.1, 0, Batches(), 3)
    assert all(isinstance(layers, Layers) and layers.wiring().vertices == 2 + 6 + 8 + 3 for layers in spy.layers)


def test_a_network_that_falls_apart_in_an_early_round_still_gets_its_count() -> None:
    def worst(model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores:
        found = synflow(model, batches, generator)
        calls.append(float(sum(value.sum() for value in found.values())))
        return found if len(calls) == 1 else {name: torch.zeros_like(value) for name, value in found.items()}

    calls: list[float] = []
    model = network()
    masks = in_turns(model, worst, sparsify, 0.05, 0, SHAPE, 4).masks
    assert len(calls) == 4
    assert kept(masks) == round(0.05 * total(model))


def test_all_zero_scores_are_refused_in_the_first_round() -> None:
    def nothing(model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores:
        return {name: torch.zeros_like(weight) for name, weight in prunable(model).items()}

    with pytest.raises(UserError, match="all scores are zero"):
        in_turns(network(), nothing, greedy, 0.1, 0, Batches(), 3)


def test_density_one_keeps_everything_whatever_the_rounds() -> None:
    model = network()
    assert kept(in_turns(model, magnitude, sparsify, 1.0, 0, Batches(), 3).masks) == total(model)


def test_prune_takes_the_scorers_own_rounds() -> None:
    model = network()
    got = pruneexp.prune(
        model, 0.1, scorer="synflow", masker="greedy_global", seed=2, example_input=torch.zeros(1, 2, 6, 6)
    )

    def network_wide(layers: Sequence[Layer], density: float, generator: torch.Generator, notes: Notes) -> Masks:
        return greedy(layers, density, generator, notes, "global")

    want = in_turns(model, synflow, network_wide, 0.1, 2, SHAPE, 100, round_counts="up").masks
    assert all(torch.equal(got[name], value) for name, value in want.items())


@pytest.mark.parametrize(("rounds", "round_masker"), [(0, "masker"), (-1, "greedy"), (3, "sparsify"), (1, "")])
def test_rounds_that_make_no_sense_are_refused(rounds: int, round_masker: str) -> None:
    with pytest.raises(UserError, match=rf"at least 1 and round_masker masker or greedy, got {rounds} and '"):
        in_turns(network(), magnitude, greedy, 0.1, 0, Batches(), rounds, round_masker)


def test_counts_that_nobody_knows_are_refused() -> None:
    with pytest.raises(UserError, match=r"^round_counts must be nearest, up or down, got 'off'\.$"):
        in_turns(network(), magnitude, greedy, 0.1, 0, Batches(), 3, round_counts="off")


@pytest.mark.parametrize("density", [0.0, 1.5, 1e-4])
def test_a_density_that_no_network_can_have_is_refused(density: float) -> None:
    with pytest.raises(UserError, match="density"):
        in_turns(network(), magnitude, greedy, density, 0, Batches(), 3)
