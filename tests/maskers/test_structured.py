"""Structured: exact numbers of neurons, ties by index, every group alive, and refusals whose advice works."""

import itertools
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import pruneexp
from pruneexp.errors import UserError
from pruneexp.layers import Layer, Layers, Notes, rounded_up
from pruneexp.maskers.structured import structured
from pruneexp.network.coupling import Coupled
from pruneexp.network.masks import Masks
from pruneexp.network.prunable import prunable
from pruneexp.network.wiring import Wiring
from tests.properties import PROPERTY


def chain(*widths: int) -> tuple[list[Layer], list[Coupled]]:
    """Linear layers one after another, the last one's outputs the classes; scores uniform."""
    generator = torch.Generator().manual_seed(sum(widths))
    layers, groups = [], []
    for k, (into, out) in enumerate(itertools.pairwise(widths)):
        score = torch.rand(out, into, generator=generator, dtype=torch.float64)
        layers.append(Layer(f"{k}.weight", score, torch.ones(out, into, dtype=torch.bool)))
        if k + 2 < len(widths):
            every = torch.arange(out)
            groups.append(Coupled(out, {f"{k}.weight": (every, every)}, {f"{k + 1}.weight": (every, every)}))
    return layers, groups


def masks_of(layers: list[Layer], groups: list[Coupled], density: float, **options: str) -> tuple[Masks, Notes]:
    notes: Notes = {}

    def unwanted() -> Wiring:
        raise AssertionError("structured asks for no wiring")

    known = Layers(layers, unwanted, lambda: groups)
    return structured(known, density, torch.Generator(), notes, **options), notes  # type: ignore[arg-type]


def neurons(masks: Masks) -> list[int]:
    """Rows with a weight left in each layer."""
    return [int(mask.flatten(1).any(dim=1).sum()) for mask in masks.values()]


def as_advised(
    layers: list[Layer], groups: list[Coupled], density: float, scope: str = "layerwise"
) -> tuple[float, Masks, Notes]:
    """What the masker makes of a density, or of the one that it advises where this is too small; and that density."""
    try:
        return density, *masks_of(layers, groups, density, scope=scope)
    except UserError as error:
        found = re.search(r"use at least (\S+)\.$", str(error))
    assert found
    assert float(found[1]) > density
    return float(found[1]), *masks_of(layers, groups, float(found[1]), scope=scope)


@PROPERTY
@given(widths=st.lists(st.integers(1, 30), min_size=2, max_size=5), density=st.floats(0.02, 1.0))
def test_layerwise_keeps_the_rounded_share_of_each_group_or_says_how_much_would_be_enough(
    widths: list[int], density: float
) -> None:
    layers, groups = chain(1000, *widths)
    hidden, classes = widths[:-1], widths[-1]
    density, masks, notes = as_advised(layers, groups, density)
    assert neurons(masks) == [*[round(density * width) for width in hidden], classes]
    assert notes == {"neurons": sum(hidden), "kept_neurons": sum(round(density * width) for width in hidden)}


@PROPERTY
@given(widths=st.lists(st.integers(1, 30), min_size=2, max_size=7), density=st.floats(0.02, 1.0))
def test_global_keeps_the_rounded_share_of_the_network_and_at_least_one_of_each_group(
    widths: list[int], density: float
) -> None:
    layers, groups = chain(1000, *widths)
    hidden = widths[:-1]
    density, masks, notes = as_advised(layers, groups, density, scope="global")
    kept = neurons(masks)[:-1]
    assert sum(kept) == round(density * sum(hidden)) == notes["kept_neurons"]
    assert min(kept) >= 1


@pytest.mark.parametrize("groups", range(1, 40, 3))
@pytest.mark.parametrize("width", [7, 50, 95, 96, 333])
def test_the_advice_on_the_smallest_density_holds_for_many_groups(groups: int, width: int) -> None:
    layers, coupled = chain(2, *[width] * groups, 2)
    with pytest.raises(
        UserError, match=rf"fewer than one in each of the {groups} groups of layers: use at least"
    ) as caught:
        masks_of(layers, coupled, (groups - 0.6) / (groups * width), scope="global")
    masks, _ = masks_of(layers, coupled, float(str(caught.value).rstrip(".").rsplit(" ", 1)[1]), scope="global")
    assert min(neurons(masks)) >= 1


@pytest.mark.parametrize(
    ("density", "want"), [(0.0104, 0.011), (0.01, 0.01), (0.0286, 0.029), (0.285, 0.29), (1.0, 1.0), (1e-5, 1e-5)]
)
def test_advice_is_rounded_up(density: float, want: float) -> None:
    assert rounded_up(density) == pytest.approx(want, rel=1e-9)


def test_the_highest_mean_score_of_a_neuron_stays_and_equal_ones_go_by_index() -> None:
    layers, groups = chain(2, 5, 3)
    rows = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.2, 0.2], [0.9, 0.3], [0.5, 0.5]])
    layers[0] = Layer("0.weight", rows, rows > -1)
    masks, _ = masks_of(layers, groups, 0.6)
    assert masks["0.weight"].all(dim=1).tolist() == [True, True, False, True, False]
    assert torch.equal(masks["0.weight"].any(dim=1), masks["0.weight"].all(dim=1))
    assert masks["1.weight"].all(dim=0).tolist() == [True, True, False, True, False]
    level = [Layer(layer.name, torch.ones_like(layer.score), layer.available) for layer in layers]
    masks, _ = masks_of(level, groups, 0.4)
    assert masks["0.weight"].all(dim=1).tolist() == [True, True, False, False, False]


def test_a_coupled_neurons_score_is_the_mean_over_its_layers_each_by_its_own_mean() -> None:
    every = torch.arange(3)
    first, second = torch.tensor([[100.0], [200.0], [300.0]]), torch.tensor([[3.0], [1.5], [0.0]])
    layers = [Layer(name, score, score > -1) for name, score in (("a", first), ("b", second))]
    groups = [Coupled(3, {"a": (every, every), "b": (every, every)}, {})]
    # (0.5, 1, 1.5) and (2, 1, 0): the first has 1.25, the second 1, the third 0.75
    masks, _ = masks_of(layers, groups, 1 / 3)
    assert masks["a"].ravel().tolist() == masks["b"].ravel().tolist() == [True, False, False]


def test_layers_of_other_scales_compare_in_the_whole_network() -> None:
    layers, groups = chain(4, 10, 10, 3)
    scaled = [Layer(x.name, x.score * 10.0 ** (6 * k), x.available) for k, x in enumerate(layers)]
    for mine, other in zip(
        *(masks_of(some, groups, 0.5, scope="global")[0].values() for some in (layers, scaled)), strict=True
    ):
        assert torch.equal(mine, other)


def test_bad_options_later_rounds_and_densities_are_refused_in_one_sentence() -> None:
    layers, groups = chain(4, 10, 3)
    with pytest.raises(UserError, match=r"^structured's scope must be layerwise or global, got 'matched'\.$"):
        masks_of(layers, groups, 0.5, scope="matched")
    for density in (0.0, 1.5, float("nan")):
        with pytest.raises(UserError, match=r"density must be (above 0 and at most 1|a finite number), got"):
            masks_of(layers, groups, density)
    layers[0].available[0, 0] = False
    with pytest.raises(UserError, match=r"goes on from no pruned weights: it goes with rounds=1 and no masks on\.$"):
        masks_of(layers, groups, 0.5)
    with pytest.raises(UserError, match="pass example_input"):
        structured(chain(4, 10, 3)[0], 0.5, torch.Generator(), {})


def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 20), nn.Linear(20, 5)
        )


@pytest.mark.parametrize("scorer", ["l2", "random", "eigenvector_centrality", "least_central", "magnitude"])
def test_prune_removes_neurons_by_name_and_the_smaller_network_runs(scorer: str) -> None:
    model = network()
    masks = pruneexp.prune(model, 0.5, scorer, "structured", example_input=torch.zeros(1, 3, 8, 8))
    assert neurons(masks) == [4, 10, 5]
    assert {name: mask.shape for name, mask in masks.items()} == {k: w.shape for k, w in prunable(model).items()}
    assert int(masks["4.weight"].sum()) == 10 * 4 * 36


def test_prune_finds_an_input_on_which_the_network_runs_and_rounds_of_neurons_are_refused() -> None:
    assert neurons(pruneexp.prune(network(), 0.5, "l2", "structured")) == [4, 10, 5]
    data = torch.randn(100, 3, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(100) % 5
    for scorer in ("synflow", "iter_snip", "ntk_sap"):
        with pytest.raises(
            UserError, match=r"^masker=structured removes neurons at once, and rounds=\d+: set rounds=1\.$"
        ):
            pruneexp.prune(network(), 0.5, scorer, "structured", data=data)
