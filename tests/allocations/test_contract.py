"""Any allocation with any masker that chooses within layers: each layer's number is kept exactly, or refused by the layer's name."""

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

from pruneexp.components.component import Component
from pruneexp.data.given import given as samples_of
from pruneexp.errors import UserError
from pruneexp.layers import Layer, Layers, Notes, capacities
from pruneexp.network.masks import Masks, save_masks
from pruneexp.network.prunable import prunable
from pruneexp.pruning.masking import mask
from pruneexp.pruning.method import Method
from pruneexp.pruning.prune import pruned
from pruneexp.sweep import expand, setting_of
from pruneexp.system.shipped import conf_dir
from tests.helpers import cells_of, target_of
from tests.maskers.test_contract import Case, cases, unjoined
from tests.properties import PROPERTY

# maskers that choose within layers, each with the options that change how it does
WITHIN: dict[str, tuple[str, ...]] = {
    "greedy": ("masker=greedy",),
    "random": ("masker=random",),
    "random_regular": ("masker=random_regular",),
    "x_net": ("masker=x_net",),
    "sparsify": ("masker=sparsify",),
    "sparsify paper": ("masker=sparsify", "masker.sampling=paper"),
    "sparsify global": ("masker=sparsify", "masker.scope=global"),
    "sparsify global paper": ("masker=sparsify", "masker.scope=global", "masker.sampling=paper"),
    "sparsify disjoint": ("masker=sparsify", "masker.scope=global", "masker.join=disjoint"),
    "sparsify_tree": ("masker=sparsify_tree",),
    "bss": ("masker=bss",),
    "ramanujan_fit": ("masker=ramanujan_fit",),
    "radix_net": ("masker=radix_net",),
}
REFUSING = ("bss", "ramanujan_fit", "radix_net")  # some numbers, by the layer's name
FIRST_ROUND = (
    "random_regular",
    "x_net",
    "ramanujan_fit",
    "radix_net",
)  # graphs of their own, which go on from no pruned weights
every_masker = pytest.mark.parametrize("name", WITHIN)

ALLOCATIONS: dict[str, tuple[str, ...]] = {
    "uniform": ("allocation=uniform",),
    "er": ("allocation=er",),
    "erk": ("allocation=erk",),
    "er_published": ("allocation=er_published",),
    "vertices": ("allocation=vertices",),
    "global": ("allocation=global",),
    "leverage": ("allocation=leverage",),
    "like": ("allocation=like", "scorer@allocation.scorer=random", "masker@allocation.masker=sparsify"),
    "like_snip": ("allocation=like_snip",),
    "like_sparsify": ("allocation=like_sparsify",),
    "like_synflow": ("allocation=like_synflow", "allocation.rounds=5"),
    "file": ("allocation=file",),
}
every_allocation = pytest.mark.parametrize("allocation", ALLOCATIONS)


@functools.cache
def masker_of(name: str) -> Any:
    return setting_of(*WITHIN[name]).components["masker"].make()


# any numbers at all, of any layers


@dataclass(frozen=True)
class Budget(Case):
    """Layers, and a number of weights for each."""

    counts: np.ndarray


@st.composite
def budgets(draw: st.DrawFn) -> Budget:
    case = draw(cases())
    counts = [
        draw(st.one_of(st.integers(0, most), st.sampled_from([0, most]))) for most in capacities(case.layers).tolist()
    ]
    assume(sum(counts) >= len(counts))  # a network that keeps fewer weights than it has layers is refused before
    return Budget(case.layers, sum(counts), np.array(counts, dtype=np.int64))


def chosen(name: str, case: Budget, seed: int, notes: Notes | None = None) -> Masks:
    layers, generator = Layers(case.layers, lambda: unjoined(case.layers)), torch.Generator().manual_seed(seed)
    found: Masks = masker_of(name)(layers, case.density, generator, {} if notes is None else notes, counts=case.counts)
    return found


def justified(name: str, sentence: str, case: Budget) -> None:
    """The refusal names a layer, and that layer's number is one that the masker cannot keep."""
    by_name = {layer.name: (layer, int(count)) for layer, count in zip(case.layers, case.counts, strict=True)}
    if name in FIRST_ROUND and "builds graphs of its own and goes on from no pruned weights" in sentence:
        assert sentence.startswith(name)
        assert not all(bool(layer.available.all()) for layer in case.layers)
        return
    assert name in REFUSING, sentence
    if found := re.match(r"bss cannot sparsify (\S+): its scores range too widely", sentence):
        layer, _ = by_name[found[1]]
        positive = layer.score[layer.available & (layer.score > 0)]
        assert positive.max() > 1e9 * positive.min()
        return
    found = re.match(rf"{name} cannot keep (\d+) of (\S+)'s (?:\d+ )?weights: (.*)\.$", sentence)
    assert found, sentence
    layer, count = by_name[found[2]]
    assert count == int(found[1])
    rows = (layer.available & (layer.score > 0)).reshape(len(layer.score), -1)
    if name == "bss":
        assert count < min(int(rows.any(dim=0).sum()) + int(rows.any(dim=1).sum()), int(rows.sum()))
    elif name == "ramanujan_fit":
        assert count < min(2 * max(rows.shape), rows.numel())
    else:
        allowed = re.search(r"its sides allow ([\d, ]+);", found[3])
        assert allowed
        assert count not in map(int, allowed[1].split(", "))


@every_masker
@PROPERTY
@given(case=budgets(), seed=st.integers(0, 1000))
def test_each_layer_keeps_its_number_exactly_or_is_refused_by_name(name: str, case: Budget, seed: int) -> None:
    before = [layer.score.clone() for layer in case.layers]
    try:
        masks = chosen(name, case, seed)
    except UserError as error:
        justified(name, str(error), case)
        return
    assert [int(masks[layer.name].sum()) for layer in case.layers] == case.counts.tolist()
    for layer, score in zip(case.layers, before, strict=True):
        assert masks[layer.name].dtype == torch.bool
        assert masks[layer.name].shape == layer.score.shape
        assert not (masks[layer.name] & ~layer.available).any()
        assert torch.equal(layer.score, score)
    again = chosen(name, case, seed)
    assert all(torch.equal(masks[key], again[key]) for key in masks)


@pytest.mark.parametrize("name", [name for name in WITHIN if name != "radix_net"])
def test_numbers_that_a_masker_can_keep_are_kept(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = [(8, 3, 3, 3), (16, 8, 3, 3), (10, 16)]
    layers = [
        Layer(f"{k}", torch.rand(shape, generator=generator), torch.ones(shape, dtype=torch.bool))
        for k, shape in enumerate(shapes)
    ]
    # far from each masker's own rule, and at the smallest that ramanujan_fit allows
    for counts in ([60, 1000, 33], [216, 144, 160], [54, 1152, 100]):
        case, notes = Budget(layers, sum(counts), np.array(counts)), Notes()
        masks = chosen(name, case, 1, notes)
        assert [int(mask.sum()) for mask in masks.values()] == counts
        assert all(float(value) == value for value in notes.values())


def test_radix_net_keeps_what_its_graphs_can_have() -> None:
    shapes = [(8, 12), (12, 8), (6, 9)]
    layers = [Layer(f"{k}", torch.ones(shape), torch.ones(shape, dtype=torch.bool)) for k, shape in enumerate(shapes)]
    case = Budget(layers, 48 + 48 + 54, np.array([48, 48, 54]))
    assert [int(mask.sum()) for mask in chosen("radix_net", case, 0).values()] == [48, 48, 54]
    case = Budget(layers, 48 + 47 + 54, np.array([48, 47, 54]))
    with pytest.raises(
        UserError, match=r"^radix_net cannot keep 47 of 1's 96 weights: its sides allow 48; take another"
    ):
        chosen("radix_net", case, 0)


@pytest.mark.parametrize("name", ["greedy", "bss"])
def test_within_a_layer_what_the_numbers_do_not_change_is_not_changed(name: str) -> None:
    """With its own rule's numbers handed over, a masker without chance makes its own masks."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(12, 20), (10, 12)]
    layers = [
        Layer(f"{k}", torch.rand(shape, generator=generator), torch.ones(shape, dtype=torch.bool))
        for k, shape in enumerate(shapes)
    ]
    own = masker_of(name)(layers, 0.5, torch.Generator(), {})
    counts = np.array([int(mask.sum()) for mask in own.values()])
    given_them = masker_of(name)(layers, 0.5, torch.Generator(), {}, counts=counts)
    assert all(torch.equal(own[key], given_them[key]) for key in own)


# the allocations of conf/, on a network


def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 12, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 5),
        )  # fmt: skip


SAMPLES = torch.randn(256, 3, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(256) % 5


def masks_of(*words: str, density: float, seed: int = 0) -> Masks:
    """The masks of a method in the command line's words."""
    model = network()
    return pruned(
        Method.of(setting_of(*words), seed), model, density, seed, samples_of(SAMPLES, None, False, seed)
    ).masks


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The masks of a method that none of the allocations is, at the densities below."""
    folder = tmp_path_factory.mktemp("masks")
    for density in (0.6, 0.3):
        masks = masks_of("scorer=random", "masker=greedy_global", density=density, seed=5)
        save_masks(masks, folder / f"{density}.safetensors")
    return folder


def words_of(allocation: str, density: float, another: Path) -> tuple[str, ...]:
    words = ALLOCATIONS[allocation]
    return (*words, f"allocation.path={another / f'{density}.safetensors'}") if allocation == "file" else words


@functools.cache
def method_of(*words: str) -> Method:
    """With an allocation, where there is one among the words: here a masker that takes every one."""
    return Method.of(setting_of("scorer=magnitude", "masker=sparsify", *words), 0)


def told(layers: Any, density: float, generator: Any, notes: Any, counts: Any) -> Masks:
    """A masker that keeps the first weights of each layer, as many as it is told."""
    return {
        layer.name: torch.arange(layer.size).reshape(layer.score.shape) < count
        for layer, count in zip(layers, counts, strict=True)
    }


@functools.cache
def masks_by(name: str, words: tuple[str, ...], density: float) -> Masks | UserError:
    """The masks of a masker with an allocation, or the refusal."""
    method = method_of(*words)
    both = Method(method.scorer, told if name == "told" else masker_of(name), method.allocation)  # type: ignore[arg-type]
    try:
        return pruned(both, network(), density, 0, samples_of(SAMPLES, None, False, 0)).masks
    except UserError as error:
        return error


def kept(masks: Masks | UserError) -> tuple[int, ...]:
    assert not isinstance(masks, UserError), masks
    return tuple(int(mask.sum()) for mask in masks.values())


@every_masker
@every_allocation
@pytest.mark.parametrize("density", [0.6, 0.3])
def test_every_allocation_goes_with_every_masker_that_chooses_within_layers(
    name: str, allocation: str, density: float, another: Path
) -> None:
    words, weights = words_of(allocation, density, another), prunable(network())
    counts = kept(masks_by("told", words, density))
    if allocation != "er_published":  # a rule of others, which has a number of its own
        assert sum(counts) == round(density * sum(weight.numel() for weight in weights.values()))
    masks = masks_by(name, words, density)
    if isinstance(masks, UserError):
        everything = {key: torch.ones_like(weight, dtype=torch.bool) for key, weight in weights.items()}
        layers = [Layer(key, weight.detach().abs(), everything[key]) for key, weight in weights.items()]
        justified(name, str(masks), Budget(layers, sum(counts), np.array(counts)))
    else:
        assert kept(masks) == counts


@pytest.mark.parametrize("name", ["bss", "ramanujan_fit"])
def test_maskers_that_refuse_some_numbers_keep_others_of_each_allocation(name: str, another: Path) -> None:
    """So that the test above does not pass by refusals alone."""
    found = {one for one in ALLOCATIONS if isinstance(masks_by(name, words_of(one, 0.6, another), 0.6), dict)}
    assert {"uniform", "erk", "like_sparsify"} <= found


@pytest.mark.parametrize("allocation", ["uniform", "er", "erk", "er_published"])
def test_random_by_an_allocation_is_the_preset_of_that_name(allocation: str) -> None:
    by_name = masks_of("scorer=magnitude", f"masker={allocation}", density=0.3, seed=2)
    apart = masks_of("scorer=magnitude", "masker=random", f"allocation={allocation}", density=0.3, seed=2)
    assert all(torch.equal(mask, by_name[key]) for key, mask in apart.items())


@pytest.mark.parametrize(
    ("preset", "allocation"), [("greedy", "uniform"), ("greedy_global", "global"), ("greedy_matched", "leverage")]
)
def test_greedy_by_an_allocation_is_the_preset_of_that_name(preset: str, allocation: str) -> None:
    by_name = masks_of("scorer=snip", f"masker={preset}", density=0.3)
    apart = masks_of("scorer=snip", "masker=greedy", f"allocation={allocation}", density=0.3)
    assert all(torch.equal(mask, by_name[key]) for key, mask in apart.items())


def key(*words: str) -> str:
    ((job, cell),) = cells_of(expand(["seed=0", "densities=[0.1]", *words])).values()
    return job.cell(cell.density, "float32").key


SAME = [
    *((f"masker={one}", f"masker=random allocation={one}") for one in ("uniform", "er", "erk", "er_published")),
    ("masker=greedy", "masker=greedy allocation=uniform"),
    ("masker=greedy_global", "masker=greedy allocation=global"),
    ("masker=greedy_matched", "masker=greedy allocation=leverage"),
    ("masker=sparsify", "masker=sparsify allocation=own"),
    ("masker=x_net", "masker=x_net allocation=uniform"),
    ("masker=random_regular masker.allocation=er", "masker=random_regular allocation=er"),
    (
        "masker=random allocation=like_snip",
        "masker=random allocation=like scorer@allocation.scorer=snip masker@allocation.masker=greedy_global",
    ),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_ways_of_saying_it_are_one_cell(one: str, other: str) -> None:
    assert key(*one.split()) == key(*other.split())


def test_other_allocations_are_other_cells() -> None:
    keys = [key("masker=sparsify", f"allocation={one}") for one in (*ALLOCATIONS, "own") if one != "file"]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("name", ["greedy", "random", "sparsify"])
def test_rounds_end_with_the_allocations_numbers(name: str) -> None:
    masks = masks_of("scorer=snip", *WITHIN[name], "allocation=erk", "rounds=3", density=0.3)
    assert kept(masks) == kept(masks_by("told", ("allocation=erk",), 0.3))


# maskers that take none


def takes(masker: Component) -> bool:
    return "counts" in masker.asks


def test_the_maskers_that_choose_within_layers_are_those_above() -> None:
    found = {
        path.stem
        for path in (conf_dir() / "masker").glob("*.yaml")
        if takes(setting_of(f"masker={path.stem}").components["masker"])
    }
    presets = {"er", "er_published", "erk", "uniform", "greedy_global", "greedy_matched", "sparsify_global"}
    assert found == {name.split()[0] for name in WITHIN} | presets
    assert set(ALLOCATIONS) == {path.stem for path in (conf_dir() / "allocation").glob("*.yaml")} - {"own"}


NONE = (
    r"^masker=(\S+) says itself how many weights each layer keeps, and takes no allocation=(\S+): leave the allocation out, or take"
    r" a masker that chooses within layers, such as .*\.$"
)


@every_allocation
@pytest.mark.parametrize("masker", ["ramanujan", "structured", "n_m"])
def test_maskers_of_whole_networks_refuse_an_allocation_in_one_sentence(
    masker: str, allocation: str, another: Path
) -> None:
    with pytest.raises(UserError, match=NONE) as caught:
        setting_of(f"masker={masker}", *words_of(allocation, 0.3, another))
    found = re.match(NONE, str(caught.value))
    assert found
    assert found.groups() == (masker, ALLOCATIONS[allocation][0].partition("=")[2])


def test_a_strangers_masker_without_numbers_refuses_an_allocation(tmp_path: Path) -> None:
    (tmp_path / "masker").mkdir()
    (tmp_path / "strange.py").write_text("def strange(layers, density, generator, notes):\n    return {}\n")
    (tmp_path / "masker" / "strange.yaml").write_text("name: strange\n_target_: strange.strange\n_partial_: true\n")
    search = f"hydra.searchpath=[file://{tmp_path}]"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        setting_of("masker=strange", search)
        with pytest.raises(
            UserError,
            match=r"^masker=strange says itself how many weights each layer keeps, and takes no allocation=erk",
        ):
            setting_of("masker=strange", "allocation=erk", search)


def test_two_rules_at_once_are_refused() -> None:
    with pytest.raises(
        UserError, match=r"^masker=greedy_matched says how many .* scope=matched, and allocation=erk says otherwise"
    ):
        setting_of("masker=greedy_matched", "allocation=erk")


# a masker that is told and does otherwise


def test_a_masker_that_shifts_a_weight_to_another_layer_is_refused_by_the_layers_name() -> None:
    model = network()
    scores = {name: weight.detach().abs() for name, weight in prunable(model).items()}

    def shifting(layers: Any, density: float, generator: Any, notes: Any, counts: Any) -> Masks:
        return told(layers, density, generator, notes, counts + np.array([1, -1, *[0] * (len(counts) - 2)]))

    masker: Any = shifting
    first = next(iter(scores))
    sentence = rf"^the masker keeps 51 weights of {re.escape(first)}, where the allocation has 50\.$"
    with pytest.raises(UserError, match=sentence):
        mask(target_of(model), scores, masker, 0.3, 0, {}, counts=lambda *_: np.array([50, 20, 20, 20]))
