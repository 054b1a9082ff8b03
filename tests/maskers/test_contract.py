"""What every masker in conf/masker promises; a new one is held to it as soon as its file exists."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pruneexp.config import conf_dir
from pruneexp.errors import UserError
from pruneexp.layers import prunable
from pruneexp.maskers.layer import Layer, Layers, Notes
from pruneexp.masks import Masks
from pruneexp.pruning import Masker, component, mask
from pruneexp.wiring import Wiring
from tests.properties import PROPERTY

NAMES = sorted(path.stem for path in (conf_dir() / "masker").glob("*.yaml"))
# to go with the xfail of tests/graphs/test_bss.py::test_weights_of_zero_give_no_warning
every_masker = pytest.mark.parametrize("name", NAMES)

# maskers that refuse a budget by design: all others never do
REFUSALS = {
    "bss": r"bss cannot keep (\d+) of (\S+)'s weights: its graph has (\d+) vertices and needs at least as many weights;"
    r" use a density of about \S+ or more\."
}


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


def draw_masks(name: str, layers: list[Layer], density: float, seed: int = 0, notes: Notes | None = None) -> Masks:
    masker: Masker = component("masker", name)
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
    """Lets pass the refusal of a masker that has one, where it is justified: more vertices than weights to keep."""
    try:
        yield
    except UserError as error:
        found = re.fullmatch(REFUSALS.get(name, r"(?!)"), str(error))
        if found is None:
            raise
        keep, vertices = int(found[1]), int(found[3])
        layer = next(layer for layer in layers if layer.name == found[2])
        positive = (layer.available & (layer.score > 0)).reshape(len(layer.score), -1)
        assert vertices == int(positive.any(dim=0).sum()) + int(positive.any(dim=1).sum())
        assert keep < min(vertices, int(positive.sum()))


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
        assert kept(masks) == round(case.density * case.total) == case.count
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
        assert kept(masks) == case.count
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
    with refusals(name if density < 0.5 else "", layers):
        assert kept(draw_masks(name, layers, density)) == round(density * size(layers))


@every_masker
def test_ties_do_not_change_the_count(name: str) -> None:
    layers = network("equal")
    for count in range(3, size(layers), 97):
        with refusals(name if count < 0.5 * size(layers) else "", layers):
            assert kept(draw_masks(name, layers, count / size(layers))) == count


@every_masker
def test_more_exact_zeros_than_pruned_weights_do_not_change_the_count_and_are_kept_last(name: str) -> None:
    layers = network()
    for layer in layers:
        layer.score[layer.score < 0.8] = 0.0
    positive = sum(int((layer.score > 0).sum()) for layer in layers)
    count = positive + 100
    masks = draw_masks(name, layers, count / size(layers))
    assert kept(masks) == count
    if name != "greedy":  # layerwise: its counts do not look at the scores
        assert all(bool(masks[layer.name][layer.score > 0].all()) for layer in layers)


@every_masker
@pytest.mark.parametrize("kind", ["uniform", "mostly zero", "zero"])
def test_density_one_keeps_everything(name: str, kind: str) -> None:
    layers = network(kind)
    assert kept(draw_masks(name, layers, 1.0)) == size(layers)


@every_masker
@pytest.mark.parametrize("density", [0.0, -0.1, 1.5, float("nan"), float("inf")])
def test_a_density_outside_0_to_1_is_refused_in_one_sentence(name: str, density: float) -> None:
    with pytest.raises(UserError, match=rf"^density must be above 0 and at most 1, got {density}\b[^.]*\.$"):
        draw_masks(name, network(), density)


@every_masker
def test_a_density_too_small_for_the_layers_is_refused_with_the_smallest_that_is_not(name: str) -> None:
    layers = network()
    with pytest.raises(UserError, match=r"fewer than one for each of the 3 layers: use at least 0\.00"):
        draw_masks(name, layers, 2 / size(layers))
    with refusals(name, layers):
        assert kept(draw_masks(name, layers, 3 / size(layers))) == 3


@every_masker
def test_more_weights_than_earlier_rounds_left_are_refused(name: str) -> None:
    layers = [Layer(layer.name, layer.score, layer.score < 0.3) for layer in network()]
    with pytest.raises(UserError, match="earlier rounds left only"):
        draw_masks(name, layers, 0.9)


@every_masker
def test_notes_are_numbers_by_name(name: str) -> None:
    notes: Notes = {}
    draw_masks(name, network("mostly zero"), 0.3, notes=notes)
    assert all(isinstance(key, str) and float(value) == value for key, value in notes.items())


@every_masker
def test_a_networks_masks_pass_the_checks_of_pruning(name: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)
    )
    by_name = {key: weight.detach().abs() for key, weight in prunable(model).items()}
    density = 0.5 if name in REFUSALS else 0.1
    masks = mask(by_name, component("masker", name), density, 0, {}, model)
    assert kept(masks) == round(density * sum(value.numel() for value in by_name.values()))
    assert all(masks[key].shape == by_name[key].shape for key in by_name)


def test_there_are_maskers_to_walk_over() -> None:
    assert {"greedy", "greedy_global", "greedy_matched", "sparsify"} <= set(NAMES)


@pytest.mark.parametrize("name", REFUSALS)
def test_a_masker_that_may_refuse_does_and_says_just_that(name: str) -> None:
    with pytest.raises(UserError) as caught:
        draw_masks(name, network(), 0.02)
    assert re.fullmatch(REFUSALS[name], str(caught.value))
