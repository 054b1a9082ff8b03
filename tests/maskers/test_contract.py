"""What every masker in conf/masker promises; a new one is held to it as soon as its file exists."""

import functools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pruneexp.components.options import About
from pruneexp.errors import UserError
from pruneexp.layers import Layer, Layers, Notes
from pruneexp.network.masks import Masks
from pruneexp.network.prunable import prunable
from pruneexp.network.wiring import Wiring
from pruneexp.pruning.masking import mask
from pruneexp.pruning.method import Masker
from pruneexp.sweep import named
from pruneexp.system.shipped import conf_dir
from tests.helpers import target_of
from tests.properties import PROPERTY


def about(name: str) -> About:
    """What a masker says of itself."""
    said: About = named("masker", name).make().func.about
    return said


ALL = sorted(path.stem for path in (conf_dir() / "masker").glob("*.yaml"))
# maskers of neurons have a contract of their own: tests/maskers/test_structured.py
NAMES = [name for name in ALL if not about(name).removes_neurons]
every_masker = pytest.mark.parametrize("name", NAMES)

# maskers that do not look at the scores
WEIGHT_FREE = [name for name in NAMES if not about(name).needs_scores]
# structural graphs, groups of weights, and a rule of others: they keep the number that their construction gives
OWN_NUMBER = {"er_published", "n_m", "radix_net", "ramanujan"}
# graphs of their own, which could bring back what an earlier round pruned
FIRST_ROUND = {"radix_net", "ramanujan", "ramanujan_fit", "random_regular", "x_net"}
# the second layer of `network()` is large enough for ramanujan, those of the property tests are not
OPTIONS: dict[str, dict[str, Any]] = {"ramanujan": {"least_channels": 5}}
# a density of `network()`, of which 216 weights have no groups
ALLOWED = {"n_m": 872 / 1528}

# maskers that refuse a budget by design: all others never do
REFUSALS = {
    "bss": r"bss cannot keep (\d+) of (\S+)'s weights: its graph has (\d+) vertices and needs at least as many weights;"
    r" use a density of about \S+ or more\.",
    "n_m": r"n_m's density is given by its groups, (\S+) of this network, and (\S+) was asked for:"
    r" use densities=\[(\S+)\], rounds=1 and levels=1\.",
    "ramanujan": r"ramanujan's density is given by its graphs, (\S+) of this network, and (\S+) was asked for:"
    r" use densities=\[(\S+)\]\.",
    "ramanujan_fit": r"density \S+ keeps (\d+) weights, and ramanujan_fit needs (\d+) for two at every filter and every input"
    r" of each layer: use at least \S+\.",
}
# what the property tests' scores and layers can be besides; a 12 x 12 layer would be an LPS graph with q = 3
TOO_WIDE = r"bss cannot sparsify (\S+): its scores range too widely for the barriers to be computed; use sparsify\."
UNFIT = r"ramanujan finds no layer of this network for its graphs: .*|(q=3) is too small for p=29: .*"
UNGROUPED = r"n_m finds no layer of this network for groups of m=4: .*"
USED_UP = r"n_m keeps 2 of each 4 weights, and earlier rounds or masks left fewer of a group of (\S+): .*"
ROUNDS = (
    r"(\w+) (builds graphs of its own|removes whole neurons) and goes on from no pruned weights:"
    r" it goes with rounds=1 and no masks on\."
)


@dataclass(frozen=True)
class Case:
    """Layers, and a number of weights to keep that they allow."""

    layers: list[Layer]
    count: int

    @property
    def total(self) -> int:
        return sum(layer.size for layer in self.layers)

    @property
    def density(self) -> float:
        return self.count / self.total


def scores(kind: str, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    uniform = torch.rand(shape, generator=generator, dtype=torch.float64)
    return {
        "uniform": uniform,
        "float32": uniform.float(),
        "equal": torch.full(shape, 0.25),
        "ties": (4 * uniform).floor(),
        "mostly zero": torch.where(uniform < 0.9, 0.0, uniform),
        "zero": torch.zeros(shape),
        "twelve orders": 10 ** (-12 * uniform),
    }[kind]


KINDS = ["uniform", "float32", "equal", "ties", "mostly zero", "zero", "twelve orders"]
linear = st.tuples(st.integers(1, 12), st.integers(1, 12))
convolution = st.tuples(st.integers(1, 6), st.integers(1, 4)).flatmap(
    lambda channels: st.integers(1, 3).map(lambda size: (*channels, size, size))
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    layers = []
    for k, shape in enumerate(draw(st.lists(st.one_of(linear, convolution), min_size=1, max_size=4))):
        available = torch.ones(shape, dtype=torch.bool)
        if draw(st.booleans()):
            available = torch.rand(shape, generator=generator) < 0.7
            available.view(-1)[0] = True
        layers.append(Layer(f"layers.{k}.weight", scores(draw(st.sampled_from(KINDS)), shape, generator), available))
    left = sum(int(layer.available.sum()) for layer in layers)
    return Case(layers, draw(st.integers(len(layers), left)))


def configured(name: str) -> Masker:
    masker: Masker = named("masker", name).make()
    return functools.partial(masker, **OPTIONS[name]) if name in OPTIONS else masker


def draw_masks(name: str, layers: list[Layer], density: float, seed: int = 0, notes: Notes | None = None) -> Masks:
    masker = configured(name)
    generator = torch.Generator().manual_seed(seed)
    return masker(Layers(layers, lambda: unjoined(layers)), density, generator, {} if notes is None else notes)


def unjoined(layers: list[Layer]) -> Wiring:
    """A wiring in which no two layers share a channel."""
    sources, targets, vertices = {}, {}, 0
    for layer in layers:
        out, into = layer.score.shape[:2]
        sources[layer.name] = torch.arange(vertices, vertices + into)[None]
        targets[layer.name] = torch.arange(vertices + into, vertices + into + out)
        vertices += into + out
    return Wiring(vertices, sources, targets, [])


@contextmanager
def refusals(name: str, layers: list[Layer]) -> Iterator[None]:
    """Lets pass the refusal of a masker that has one, where it is justified."""
    try:
        yield
    except UserError as error:
        if name in FIRST_ROUND and re.fullmatch(ROUNDS, str(error)):
            assert not all(bool(layer.available.all()) for layer in layers)
            return
        if name == "ramanujan" and (found := re.fullmatch(UNFIT, str(error))):
            shapes = [tuple(layer.score.shape) for layer in layers]
            assert all(shape[1] < OPTIONS[name]["least_channels"] for shape in shapes if len(shape) == 4)
            assert (12, 12) in shapes or found[1] is None
            return
        if name == "n_m" and re.fullmatch(UNGROUPED, str(error)):
            assert all(layer.score.shape[1] % 4 for layer in layers)
            return
        if name == "n_m" and (used := re.fullmatch(USED_UP, str(error))):
            (available,) = (layer.available for layer in layers if layer.name == used[1])
            assert available.movedim(1, -1).reshape(-1, 4).sum(dim=1).min() < 2
            return
        if name == "bss" and (wide := re.fullmatch(TOO_WIDE, str(error))):
            layer = next(layer for layer in layers if layer.name == wide[1])
            positive = layer.score[layer.available & (layer.score > 0)]
            assert positive.max() > 1e9 * positive.min()
            return
        found = re.fullmatch(REFUSALS.get(name, r"(?!)"), str(error))
        if found is None:
            raise
        JUSTIFIED[name](found, layers)


def more_vertices_than_weights(found: re.Match[str], layers: list[Layer]) -> None:
    keep, vertices = int(found[1]), int(found[3])
    layer = next(layer for layer in layers if layer.name == found[2])
    positive = (layer.available & (layer.score > 0)).reshape(len(layer.score), -1)
    assert vertices == int(positive.any(dim=0).sum()) + int(positive.any(dim=1).sum())
    assert keep < min(vertices, int(positive.sum()))


def another_density(found: re.Match[str], layers: list[Layer]) -> None:
    own, asked, instead = (float(found[k]) for k in (1, 2, 3))
    assert abs(asked - own) > 0.09 * asked
    name = str(found.string).partition("'")[0]
    assert kept(draw_masks(name, layers, instead)) == pytest.approx(own * size(layers), rel=1e-3)


def fewer_than_two_for_each_vertex(found: re.Match[str], layers: list[Layer]) -> None:
    least = [min(2 * max(len(layer.score), layer.size // len(layer.score)), layer.size) for layer in layers]
    assert int(found[1]) < int(found[2]) == sum(least)


JUSTIFIED: dict[str, Callable[[re.Match[str], list[Layer]], None]] = {
    "bss": more_vertices_than_weights,
    "n_m": another_density,
    "ramanujan": another_density,
    "ramanujan_fit": fewer_than_two_for_each_vertex,
}


def assert_count(name: str, masks: Masks, count: int) -> None:
    """Exactly `count`; of a construction with a number of its own, at least one weight in each layer."""
    if name == "er_published":  # within five weights before its search's last step
        assert kept(masks) <= 1.5 * (count + 5) + len(masks)
    elif name in OWN_NUMBER:
        assert all(bool(mask.any()) for mask in masks.values())
    else:
        assert kept(masks) == count


def kept(masks: Masks) -> int:
    return sum(int(value.sum()) for value in masks.values())


def network(kind: str = "uniform") -> list[Layer]:
    generator = torch.Generator().manual_seed(1)
    shapes = [(8, 3, 3, 3), (16, 8, 3, 3), (10, 16)]
    return [
        Layer(f"{k}.weight", scores(kind, shape, generator), torch.ones(shape, dtype=torch.bool))
        for k, shape in enumerate(shapes)
    ]


def size(layers: list[Layer]) -> int:
    return sum(layer.size for layer in layers)


@every_masker
@PROPERTY
@given(case=cases(), seed=st.integers(0, 1000))
def test_keeps_exactly_the_share_asked_for_in_bool_masks_of_the_weights_shapes(
    name: str, case: Case, seed: int
) -> None:
    with refusals(name, case.layers):
        masks = draw_masks(name, case.layers, case.density, seed)
        assert round(case.density * case.total) == case.count
        assert_count(name, masks, case.count)
        assert list(masks) == [layer.name for layer in case.layers]
        for layer in case.layers:
            assert masks[layer.name].dtype == torch.bool
            assert masks[layer.name].shape == layer.score.shape


@every_masker
@PROPERTY
@given(case=cases(), seed=st.integers(0, 1000))
def test_a_weight_that_an_earlier_round_pruned_never_comes_back(name: str, case: Case, seed: int) -> None:
    # the pruned weights score highest: only `available` can keep them out
    layers = [
        Layer(layer.name, torch.where(layer.available, layer.score, 1e3), layer.available) for layer in case.layers
    ]
    with refusals(name, layers):
        masks = draw_masks(name, layers, case.density, seed)
        assert_count(name, masks, case.count)
        assert not any(bool((masks[layer.name] & ~layer.available).any()) for layer in layers)


@every_masker
@PROPERTY
@given(case=cases(), seed=st.integers(0, 1000))
def test_the_same_generator_gives_the_same_masks_and_scores_are_left_alone(name: str, case: Case, seed: int) -> None:
    before = [layer.score.clone() for layer in case.layers]
    state = torch.random.get_rng_state()
    with refusals(name, case.layers):
        first = draw_masks(name, case.layers, case.density, seed)
        again = draw_masks(name, case.layers, case.density, seed)
        assert all(torch.equal(first[key], again[key]) for key in first)
    assert all(torch.equal(layer.score, score) for layer, score in zip(case.layers, before, strict=True))
    assert torch.equal(torch.random.get_rng_state(), state)


@every_masker
@pytest.mark.parametrize("density", [0.9, 0.5, 0.1, 0.05, 0.02, 0.005])
@pytest.mark.parametrize("kind", KINDS)
def test_the_count_is_exact_at_common_densities(name: str, kind: str, density: float) -> None:
    layers = network(kind)
    with refusals(name if density < 0.5 or name in OWN_NUMBER else "", layers):
        assert_count(name, draw_masks(name, layers, density), round(density * size(layers)))


@every_masker
def test_ties_do_not_change_the_count(name: str) -> None:
    layers = network("equal")
    for count in range(3, size(layers), 97):
        with refusals(name if count < 0.5 * size(layers) or name in OWN_NUMBER else "", layers):
            assert_count(name, draw_masks(name, layers, count / size(layers)), count)


@every_masker
def test_more_exact_zeros_than_pruned_weights_do_not_change_the_count_and_are_kept_last(name: str) -> None:
    layers = network()
    for layer in layers:
        layer.score[layer.score < 0.8] = 0.0
    positive = sum(int((layer.score > 0).sum()) for layer in layers)
    count = positive + 100
    with refusals(name if name in OWN_NUMBER else "", layers):
        masks = draw_masks(name, layers, count / size(layers))
        assert_count(name, masks, count)
    if name not in ("greedy", "n_m", *WEIGHT_FREE):  # whose layers' counts do not look at the scores
        assert all(bool(masks[layer.name][layer.score > 0].all()) for layer in layers)


@every_masker
@pytest.mark.parametrize("kind", ["uniform", "mostly zero", "zero"])
def test_density_one_keeps_everything(name: str, kind: str) -> None:
    layers = network(kind)
    if name not in ("er_published", "n_m", "ramanujan"):  # which have numbers of their own
        assert kept(draw_masks(name, layers, 1.0)) == size(layers)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 16, 3), nn.Linear(16, 10))
    by_name = {layer.name: layer.score for layer in layers}
    assert kept(mask(target_of(model), by_name, configured(name), 1.0, 0, {})) == size(layers)


@every_masker
@pytest.mark.parametrize("density", [0.0, -0.1, 1.5, float("nan"), float("inf")])
def test_a_density_outside_0_to_1_is_refused_in_one_sentence(name: str, density: float) -> None:
    with pytest.raises(
        UserError, match=rf"density must be (above 0 and at most 1|a finite number), got {density}\b[^.]*\.$"
    ):
        draw_masks(name, network(), density)


@every_masker
def test_a_density_too_small_for_the_layers_is_refused_with_the_smallest_that_is_not(name: str) -> None:
    layers = network()
    with pytest.raises(UserError, match=r"fewer than one for each of the 3 layers: use at least 0\.00"):
        draw_masks(name, layers, 2 / size(layers))
    with refusals(name, layers):
        assert_count(name, draw_masks(name, layers, 3 / size(layers)), 3)


@every_masker
def test_more_weights_than_earlier_rounds_left_are_refused(name: str) -> None:
    layers = [Layer(layer.name, layer.score, layer.score < 0.3) for layer in network()]
    with pytest.raises(UserError, match=r"but only \d+ are not pruned already"):
        draw_masks(name, layers, 0.9)


@every_masker
def test_notes_are_numbers_by_name(name: str) -> None:
    notes: Notes = {}
    draw_masks(name, network("mostly zero"), ALLOWED.get(name, 0.4), notes=notes)
    assert all(isinstance(key, str) and float(value) == value for key, value in notes.items())


@every_masker
def test_a_networks_masks_pass_the_checks_of_pruning(name: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)
    )
    by_name = {key: weight.detach().abs() for key, weight in prunable(model).items()}
    density = ALLOWED.get(name, 0.4 if name in REFUSALS else 0.1)
    masks = mask(target_of(model), by_name, configured(name), density, 0, {})
    assert_count(name, masks, round(density * sum(value.numel() for value in by_name.values())))
    assert all(masks[key].shape == by_name[key].shape for key in by_name)


def test_there_are_maskers_to_walk_over() -> None:
    assert {"greedy", "greedy_global", "greedy_matched", "sparsify"} <= set(NAMES)
    assert {"er", "erk", "uniform"} | OWN_NUMBER - {"n_m"} | FIRST_ROUND <= set(WEIGHT_FREE)
    assert set(ALL) - set(NAMES) == {"structured"}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_masker_that_may_refuse_does_and_says_just_that(name: str) -> None:
    with pytest.raises(UserError) as caught:
        draw_masks(name, network(), 0.02)
    assert re.fullmatch(REFUSALS[name], str(caught.value))


@pytest.mark.parametrize("name", WEIGHT_FREE)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "uniform"])
def test_scores_do_not_matter_to_a_masker_that_needs_none(name: str, kind: str) -> None:
    want, got = (draw_masks(name, network(values), 0.4, seed=3) for values in ("uniform", kind))
    assert all(torch.equal(mask, want[key]) for key, mask in got.items())
    assert list(got) == list(want)


@pytest.mark.parametrize("name", sorted(FIRST_ROUND))
@pytest.mark.parametrize("pruned", [0, 1, 2])
def test_graphs_of_their_own_are_refused_in_a_round_after_the_first(name: str, pruned: int) -> None:
    layers = network()
    layers[pruned].available.view(-1)[-1] = False
    with pytest.raises(UserError) as caught:
        draw_masks(name, layers, 0.4)
    found = re.fullmatch(ROUNDS, str(caught.value))
    assert found
    assert found[1] == name
