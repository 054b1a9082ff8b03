"""The masker bss: exact counts, refusals with the way out, layers in several parts, and large layers in batches."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import pruneexp
from pruneexp.errors import UserError
from pruneexp.graphs import leverage_scores
from pruneexp.graphs.bss import bss_sparsifier
from pruneexp.layers import Layer, Notes
from pruneexp.maskers.bss import EXACT, bss
from pruneexp.network.masks import Masks
from tests.graphs.oracles import Array, bipartite, rank
from tests.maskers.oracles import expected_inclusion
from tests.properties import PROPERTY

REFUSAL = re.compile(
    r"bss cannot keep (\d+) of (\S+)'s weights: its graph has (\d+) vertices and needs at least as many weights;"
    r" use a density of about ([\d.e-]+) or more\."
)


def layer(
    shape: tuple[int, ...], seed: int = 0, zeros: float = 0.0, orders: float = 2.0, name: str = "0.weight"
) -> Layer:
    generator = torch.Generator().manual_seed(seed)
    score = 10 ** (-orders * torch.rand(shape, generator=generator, dtype=torch.float64))
    score[torch.rand(shape, generator=generator) < zeros] = 0.0
    return Layer(name, score, torch.ones(shape, dtype=torch.bool))


def network(seed: int = 0) -> list[Layer]:
    shapes = [(8, 3, 3, 3), (16, 8, 3, 3), (10, 16)]
    return [layer(shape, seed + k, name=f"{k}.weight") for k, shape in enumerate(shapes)]


def masks_of(layers: list[Layer], density: float, notes: Notes | None = None, seed: int = 0) -> Masks:
    return bss(layers, density, torch.Generator().manual_seed(seed), {} if notes is None else notes)


def mask_of(one: Layer, count: int, notes: Notes | None = None) -> torch.Tensor:
    return masks_of([one], count / one.size, notes)[one.name]


def unfolded(values: torch.Tensor) -> Array:
    return np.asarray(values.reshape(len(values), -1).T.double().numpy())


def vertices(score: torch.Tensor) -> int:
    return sum(1 for _, degree in bipartite(unfolded(score)).degree() if degree)


def refusal(layers: list[Layer], density: float) -> re.Match[str]:
    with pytest.raises(UserError) as caught:
        masks_of(layers, density)
    found = REFUSAL.fullmatch(str(caught.value))
    assert found, str(caught.value)
    return found


@pytest.mark.parametrize("density", [0.9, 0.5, 0.3, 0.15])
def test_the_count_is_exact_and_each_layer_has_sparsifys_share(density: float) -> None:
    layers = network()
    masks = masks_of(layers, density)
    count = round(density * sum(one.size for one in layers))
    assert sum(int(mask.sum()) for mask in masks.values()) == count
    for one, share in zip(layers, expected_inclusion(layers, count), strict=True):
        assert abs(int(masks[one.name].sum()) - share.sum()) < 1
        assert masks[one.name].dtype == torch.bool
        assert masks[one.name].shape == one.score.shape


@PROPERTY
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 1000), st.sampled_from([0.0, 0.3, 0.8]), st.data())
def test_a_layer_is_connected_as_its_scores_are_and_keeps_the_count(
    out: int, into: int, seed: int, zeros: float, data: st.DataObject
) -> None:
    one = layer((out, into), seed, zeros)
    one.score[0, 0] = 1.0
    count = data.draw(st.integers(min(vertices(one.score), one.size), one.size))
    mask = mask_of(one, count)
    assert int(mask.sum()) == count
    assert rank(unfolded(mask & (one.score > 0))) == rank(unfolded(one.score))


@pytest.mark.parametrize("count", [22, 30, 60])
def test_the_edges_are_those_of_the_sparsifier_and_the_highest_leverages_of_the_rest(count: int) -> None:
    one = layer((10, 12), 3, orders=4.0)
    notes: Notes = {}
    mask = mask_of(one, count, notes).numpy()
    score = one.score.numpy()
    picked = bss_sparsifier(score / score.max(), count) > 0
    assert mask[picked].all()
    assert int(mask.sum()) == count
    filled = mask & ~picked
    assert filled.sum() == notes["filled_edges"] == count - picked.sum()
    leverage = leverage_scores(one.score.T).numpy().T
    assert filled.any()
    assert leverage[filled].min(initial=1.0) >= leverage[~mask].max()


def test_fewer_weights_than_vertices_are_refused_in_one_sentence_with_the_density_to_use() -> None:
    for shape, count in [((10, 12), 21), ((10, 12), 11), ((6, 4, 3, 3), 30), ((40, 2), 25)]:
        one = layer(shape)
        found = refusal([one], count / one.size)
        assert (int(found[1]), found[2], int(found[3])) == (count, "0.weight", vertices(one.score))
        assert float(found[4]) == pytest.approx(vertices(one.score) / one.size, rel=0.05)
        density = min(1.05 * float(found[4]), 1.0)
        assert int(masks_of([one], density)["0.weight"].sum()) == round(density * one.size)


def test_the_refusal_names_the_layer_that_is_furthest_from_enough() -> None:
    layers = [layer((30, 40), name="wide"), layer((3, 2), 1, name="narrow")]
    assert refusal(layers, 40 / 1206)[2] == "narrow"  # one weight for five vertices; the other has more than half
    layers = [layer((6, 5), name="most"), layer((30, 1), 1, name="least")]
    assert masks_of(layers, 0.75)["least"].all()  # 30 weights for 31 vertices, but nothing to choose from
    assert refusal([layer((20, 20), name="most"), layer((20, 20), 1, name="same")], 60 / 800)[2] == "most"


def test_the_density_of_the_refusal_is_not_refused() -> None:
    one = layer((10, 12))
    refused = []
    for count in [1.5, *range(1, 22)]:
        density = float(refusal([one], count / one.size)[4])
        try:
            masks_of([one], density)
        except UserError:
            refused.append((count, density))
    assert refused == []


def test_vertices_without_a_score_need_no_weight() -> None:
    one = layer((10, 12))
    one.score[3:] = 0.0
    assert vertices(one.score) == 15
    assert not mask_of(one, 15)[3:].any()
    assert int(refusal([one], 14 / one.size)[3]) == 15


def blocks(*shapes: tuple[int, int], seed: int = 0) -> Layer:
    """One component for each shape; the rest is zero, a row and a column of zeros between."""
    rows, columns = (sum(shape[k] + 1 for shape in shapes) for k in (0, 1))
    score, i, j = torch.zeros(rows, columns, dtype=torch.float64), 0, 0
    for k, (height, width) in enumerate(shapes):
        score[i : i + height, j : j + width] = layer((height, width), seed + k).score
        i, j = i + height + 1, j + width + 1
    return Layer("0.weight", score, torch.ones(rows, columns, dtype=torch.bool))


@pytest.mark.parametrize("count", [28, 40, 70])
def test_each_component_is_sparsified_by_itself(count: int) -> None:
    one = blocks((6, 5), (1, 1), (8, 4), (2, 1))
    assert vertices(one.score) == 28 > rank(unfolded(one.score)) + 3
    assert int(refusal([one], 27 / one.size)[3]) == 28
    mask = mask_of(one, count)
    assert int(mask.sum()) == count
    positive = int((one.score > 0).sum())
    assert positive == 65
    assert bool(mask[one.score > 0].all()) == (count > positive)
    if count < positive:
        assert not mask[one.score == 0].any()
    assert rank(unfolded(mask & (one.score > 0))) == rank(unfolded(one.score))


def test_components_share_the_picks_by_their_dimensions_and_small_ones_are_kept_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []

    def seen(weights: Array, count: int, batch: int) -> Array:
        calls.append((weights.shape, count))
        return bss_sparsifier(weights, count, batch)

    monkeypatch.setattr("pruneexp.maskers.bss.bss_sparsifier", seen)
    one = blocks((2, 2), (12, 10), (30, 20))
    n = np.array([3, 21, 49])
    mask = mask_of(one, int((n + 1).sum()) + 150)
    assert mask[:2, :2].all()
    assert sorted(shape for shape, _ in calls) == [(12, 10), (30, 20)]
    for (_, count), part in zip(calls, n[1:], strict=True):
        assert abs(count - (part + 1 + 150 * part / n.sum())) < 1


def test_a_component_gets_its_share_whatever_the_scale_of_its_scores() -> None:
    one = blocks((9, 7), (9, 7))
    one.score[10:] *= 1e-30
    mask = mask_of(one, 64)
    assert torch.equal(mask, mask_of(blocks((9, 7), (9, 7)), 64))
    assert min(int(mask[:10].sum()), int(mask[10:].sum())) >= 28


@PROPERTY
@given(st.integers(0, 1000), st.integers(0, 60))
def test_weights_that_an_earlier_round_pruned_never_come_back(seed: int, more: int) -> None:
    one = layer((9, 11), seed, zeros=0.2)
    available = torch.rand((9, 11), generator=torch.Generator().manual_seed(seed + 1)) < 0.7
    score = torch.where(available, one.score, 1e3)  # only `available` can keep them out
    count = min(vertices(torch.where(available, one.score, 0.0)) + more, int(available.sum()))
    mask = mask_of(Layer("0.weight", score, available), count)
    assert int(mask.sum()) == count
    assert not (mask & ~available).any()


def test_with_fewer_scores_than_asked_for_all_are_kept_and_zeros_fill_up() -> None:
    one = layer((12, 10), 1, zeros=0.6)
    available = torch.ones(12, 10, dtype=torch.bool)
    available[:, 4] = False
    positive = (one.score > 0) & available
    notes: Notes = {}
    mask = mask_of(Layer("0.weight", one.score, available), int(positive.sum()) + 7, notes)
    assert mask[positive].all()
    assert int(mask.sum()) == int(positive.sum()) + 7
    assert not mask[:, 4].any()
    assert notes["filled_edges"] == notes["filled"] == 7
    assert notes["batched_layers"] == 0


def test_a_layer_without_a_score_is_filled() -> None:
    notes: Notes = {}
    layers = [Layer("zero", torch.zeros(5, 5), torch.ones(5, 5, dtype=torch.bool)), layer((6, 6), name="scored")]
    masks = masks_of(layers, 50 / 61, notes)
    assert masks["scored"].all()
    assert int(masks["zero"].sum()) == notes["filled_edges"] == 14


def test_picks_that_repeat_are_filled_up_by_leverage() -> None:
    notes: Notes = {}
    mask = mask_of(layer((12, 10), orders=6.0), 80, notes)
    assert int(mask.sum()) == 80
    assert 0 < notes["filled_edges"] < 80
    assert notes["filled"] == 0


def test_a_layer_above_64_x_576_is_done_in_batches_and_reported() -> None:
    large = layer((70, 600), orders=1.0, name="large")
    small = layer((20, 30), 1, name="small")
    assert large.size > EXACT == 64 * 576 > small.size
    notes: Notes = {}
    masks = masks_of([large, small], 0.04, notes)
    assert sum(int(mask.sum()) for mask in masks.values()) == round(0.04 * (large.size + small.size))
    assert notes["batched_layers"] == 1
    assert all(rank(unfolded(masks[one.name])) == sum(one.score.shape) - 1 for one in (large, small))


def test_a_layer_of_64_x_576_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = []

    def seen(weights: Array, count: int, batch: int) -> Array:
        batches.append(batch)
        return np.where(np.arange(weights.size).reshape(weights.shape) < count, weights, 0.0)

    monkeypatch.setattr("pruneexp.maskers.bss.bss_sparsifier", seen)
    for shape in [(64, 64, 3, 3), (64, 577), (70, 600)]:
        notes: Notes = {}
        assert int(mask_of(layer(shape), 9000, notes).sum()) == 9000
        assert notes["batched_layers"] == (batches[-1] > 1)
    assert batches == [1, 60, 60]


@pytest.mark.parametrize("shape", [(12, 10), (70, 600)])
def test_nothing_is_random(shape: tuple[int, int]) -> None:
    one = layer(shape, orders=1.0)
    before, state = one.score.clone(), torch.random.get_rng_state()
    first, *others = [masks_of([one], 0.5 if one.size < 200 else 0.03, seed=seed)["0.weight"] for seed in (0, 1)]
    assert all(torch.equal(first, other) for other in others)
    assert torch.equal(one.score, before)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("factor", [2.0**-30, 2.0**40])
def test_the_scale_of_a_layers_scores_changes_nothing(factor: float) -> None:
    layers = network()
    scaled = [Layer(one.name, one.score * factor ** (k + 1), one.available) for k, one in enumerate(layers)]
    plain, other = masks_of(layers, 0.3), masks_of(scaled, 0.3)
    assert all(torch.equal(plain[name], other[name]) for name in plain)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scores_of_either_precision_are_taken(dtype: torch.dtype) -> None:
    one = layer((12, 10))
    rounded = one.score.float()
    mask = mask_of(Layer("0.weight", rounded.to(dtype), one.available), 40)
    assert torch.equal(mask, mask_of(Layer("0.weight", rounded.double(), one.available), 40))


def test_scores_that_range_too_widely_are_refused_in_one_sentence() -> None:
    score = torch.full((10, 10), 1e-18, dtype=torch.float64).fill_diagonal_(1.0)
    one = Layer("0.weight", score, torch.ones(10, 10, dtype=torch.bool))
    with pytest.raises(UserError, match=r"^bss cannot sparsify 0\.weight: its scores range too widely [^.]*\.$"):
        mask_of(one, 25)


def test_negative_scores_are_refused() -> None:
    one = layer((6, 5))
    one.score[2, 2] = -0.1
    with pytest.raises(UserError, match=r"non-negative scores, and 0\.weight has negative ones"):
        mask_of(one, 20)


@pytest.mark.parametrize("scorer", ["magnitude", "random"])
def test_bss_is_a_masker_like_any_other_in_prune(scorer: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 20), nn.ReLU(), nn.Linear(20, 5)
    )
    before = {name: value.clone() for name, value in model.state_dict().items()}
    total = 216 + 8 * 36 * 20 + 100
    masks = pruneexp.prune(model, 0.15, scorer, "bss")
    assert sum(int(mask.sum()) for mask in masks.values()) == round(0.15 * total)
    again = pruneexp.prune(model, 0.15, scorer, "bss", seed=0 if scorer == "random" else 1)
    assert all(torch.equal(mask, again[name]) for name, mask in masks.items())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    with pytest.raises(UserError, match=REFUSAL):
        pruneexp.prune(model, 0.01, scorer, "bss")
    assert all(mask.all() for mask in pruneexp.prune(model, 1, scorer, "bss").values())
