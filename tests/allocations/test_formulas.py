"""Each allocation of conf/ against a slow version of what its paper says."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from torch import nn

import pruneexp
from pruneexp.data.given import given as samples_of
from pruneexp.errors import UserError
from pruneexp.layers import Layer, Layers, Notes, capacities
from pruneexp.network.masks import Masks, save_masks
from pruneexp.pruning.method import Method
from pruneexp.pruning.prune import pruned
from pruneexp.sweep import expand, setting_of
from tests.maskers.oracles import expected_inclusion
from tests.maskers.test_contract import Case, cases, unjoined
from tests.properties import PROPERTY


def counts_of(allocation: str, case: Case, *words: str, notes: Notes | None = None) -> list[int]:
    component = setting_of("masker=sparsify", f"allocation={allocation}", *words).components["allocation"]
    layers = Layers(case.layers, lambda: unjoined(case.layers))
    found = component.call(
        layers=layers, count=case.count, density=case.density, notes={} if notes is None else notes, kept_by=None
    )
    assert found.dtype == np.int64
    return [int(count) for count in found]


# by shape: densities in the papers' words, up to a factor common to all layers


def share(allocation: str, shape: tuple[int, ...]) -> float:
    n_out, n_in, *kernel = shape
    size = math.prod(shape)
    vertices = n_out + n_in * math.prod(kernel)
    density = {
        "uniform": 1.0,
        "er": (n_in + n_out) / (n_in * n_out),  # Mocanu et al. 2018
        "erk": (n_in + n_out + sum(kernel)) / size,  # Evci et al. 2020
        "vertices": vertices
        * math.log(vertices)
        / size,  # Laenen 2023: a sparsifier of n vertices has O(n log n) edges
    }[allocation]
    return density * size


def filled(shares: list[float], most: list[int], count: int) -> list[float]:
    """Proportional shares: as long as one exceeds its layer, that is dense and the others share the rest (as RigL's code has it)."""
    dense: set[int] = set()
    while True:
        rest = [k for k in range(len(shares)) if k not in dense]
        left = count - sum(most[k] for k in dense)
        eps = left / sum(shares[k] for k in rest) if rest else 0.0
        over = {k for k in rest if eps * shares[k] > most[k] * (1 + 1e-12)}
        if not over:
            return [float(most[k]) if k in dense else eps * shares[k] for k in range(len(shares))]
        dense |= over


@pytest.mark.parametrize("allocation", ["uniform", "er", "erk", "vertices"])
@PROPERTY
@given(case=cases())
def test_shares_are_those_of_the_paper_and_the_remainders_go_to_the_largest(allocation: str, case: Case) -> None:
    most = capacities(case.layers).tolist()
    exact = filled([share(allocation, tuple(layer.score.shape)) for layer in case.layers], most, case.count)
    counts = counts_of(allocation, case)
    assert sum(counts) == case.count
    by_largest_remainder(counts, exact)


def by_largest_remainder(counts: list[int], exact: list[float]) -> None:
    """Each count is its share rounded down or up, and none that was rounded up had less over than one that was rounded down."""
    over = [value - math.floor(value + 1e-6) for value in exact]
    up = [count - math.floor(value + 1e-6) for count, value in zip(counts, exact, strict=True)]
    assert set(up) <= {0, 1}
    ups = [part for part, one in zip(over, up, strict=True) if one]
    downs = [part for part, one in zip(over, up, strict=True) if not one]
    assert min(ups, default=1) >= max(downs, default=0) - 1e-6


@PROPERTY
@given(case=cases())
def test_er_published_is_the_search_of_the_public_code(case: Case) -> None:
    """eps by steps that shrink, the sum counted without a limit, one step more when it has arrived, and then each layer cut off."""
    assume(case.count > 20)
    shares = [share("erk", tuple(layer.score.shape)) for layer in case.layers]
    eps, change = 10.0, 0.5
    for _ in itertools.count():
        total = eps * sum(shares)
        arrived = abs(case.density * case.total - total) < 5
        eps = eps * (1 - change) if total > case.density * case.total else eps * (1 + change)
        change *= 0.95
        if arrived:
            break
    want = [min(round(eps * one), most) for one, most in zip(shares, capacities(case.layers).tolist(), strict=True)]
    assert counts_of("er_published", case) == want


# by scores


@PROPERTY
@given(case=cases())
def test_global_counts_the_highest_scores_of_the_network(case: Case) -> None:
    ranked = sorted(
        (-float(score), k, index)
        for k, layer in enumerate(case.layers)
        for index, (score, left) in enumerate(zip(layer.score.ravel(), layer.available.ravel(), strict=True))
        if left
    )
    winners = [k for _, k, _ in ranked[: case.count]]
    assert counts_of("global", case) == [winners.count(k) for k in range(len(case.layers))]


@PROPERTY
@given(case=cases())
def test_leverage_is_the_sum_of_sparsifys_probabilities(case: Case) -> None:
    scores = [layer.score[layer.available] for layer in case.layers]
    positive = [score[score > 0] for score in scores]
    # as many as can be drawn with a positive score, of a range in which the slow version is exact
    assume(case.count <= sum(len(score) for score in positive))
    assume(all(len(score) and score.max() < 1e6 * score.min() for score in positive))
    exact = [float(p.sum()) for p in expected_inclusion(case.layers, case.count)]
    notes: Notes = {}
    counts = counts_of("leverage", case, notes=notes)
    assert sum(counts) == case.count
    by_largest_remainder(counts, exact)
    assert notes["filled"] == 0


def test_leverage_says_how_many_weights_are_kept_without_a_score() -> None:
    layers = [
        Layer("a", torch.zeros(4, 5), torch.ones(4, 5, dtype=torch.bool)),
        Layer("b", torch.rand(4, 5) + 1, torch.ones(4, 5, dtype=torch.bool)),
    ]
    notes: Notes = {}
    assert counts_of("leverage", Case(layers, 30), notes=notes) == [10, 20]
    assert notes["filled"] == 10


def test_leverage_needs_scores_without_a_sign() -> None:
    layers = [Layer("a", torch.tensor([[1.0, -1]]), torch.ones(1, 2, dtype=torch.bool))]
    with pytest.raises(UserError, match=r"^leverages need non-negative scores, and a has negative ones: "):
        counts_of("leverage", Case(layers, 1))


# like another method


def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return nn.Sequential(
            nn.Conv2d(3, 10, 3),
            nn.BatchNorm2d(10),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(40, 20),
            nn.ReLU(),
            nn.Linear(20, 4),
        )


SAMPLES = torch.randn(256, 3, 6, 6, generator=torch.Generator().manual_seed(0)), torch.arange(256) % 4


def masks_of(*words: str, density: float = 0.2, seed: int = 0) -> Masks:
    """The masks of a method in the command line's words."""
    method = Method.of(setting_of(*words), seed)
    return pruned(method, network(), density, seed, samples_of(SAMPLES, None, False, seed)).masks


def kept(masks: Masks) -> list[int]:
    return [int(mask.sum()) for mask in masks.values()]


BY_CHANCE = ("allocation=like", "scorer@allocation.scorer=random", "masker@allocation.masker=sparsify")
IN_ROUNDS = (
    "allocation=like",
    "scorer@allocation.scorer=snip",
    "allocation.scorer.samples=20",
    "allocation.rounds=3",
    "allocation.round_counts=up",
)
LIKE: dict[str, tuple[tuple[str, ...], str, str, dict[str, int], tuple[str, ...]]] = {
    "like_snip": (("allocation=like_snip",), "snip", "greedy_global", {}, ()),
    "like_synflow": (("allocation=like_synflow",), "synflow", "greedy_global", {}, ()),
    "like_sparsify": (("allocation=like_sparsify",), "magnitude", "greedy_matched", {}, ()),
    "like": (("allocation=like",), "magnitude", "greedy_global", {}, ()),
    "by chance": (BY_CHANCE, "random", "sparsify", {}, ()),
    "in rounds": (IN_ROUNDS, "snip", "greedy_global", {"samples": 20}, ("rounds=3", "round_counts=up")),
}


@pytest.mark.parametrize("seed", [0, 3])
@pytest.mark.parametrize("name", LIKE)
def test_like_another_has_the_counts_of_that_methods_masks_of_the_same_seed(name: str, seed: int) -> None:
    words, scorer, masker, options, overrides = LIKE[name]
    theirs = pruneexp.prune(
        network(), 0.2, scorer, masker, seed, data=SAMPLES, scorer_options=options, overrides=overrides
    )
    for own in ("random", "sparsify"):
        masks = masks_of("scorer=magnitude", f"masker={own}", *words, seed=seed)
        assert kept(masks) == kept(theirs)
    assert any(not torch.equal(mask, theirs[key]) for key, mask in masks.items())


def test_like_another_is_asked_with_the_cells_seed() -> None:
    assert len({tuple(kept(masks_of("masker=random", *BY_CHANCE, seed=seed))) for seed in range(4)}) > 1


def test_like_another_prunes_what_the_cell_prunes() -> None:
    words = ("scorer=magnitude", "masker=random", "allocation=like_snip", "only=[Linear]")
    theirs = pruneexp.prune(network(), 0.2, "snip", "greedy_global", data=SAMPLES, only="Linear")
    masks = masks_of(*words)
    assert {name: int(masks[name].sum()) for name in theirs} == {name: int(mask.sum()) for name, mask in theirs.items()}
    assert all(bool(mask.all()) for name, mask in masks.items() if name not in theirs)


def test_like_a_masker_with_a_number_of_its_own_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"^allocation\.masker keeps 710 weights by a rule of its own, and the density asks for 713: "
    ):
        masks_of("masker=random", "allocation=like", "masker@allocation.masker=n_m", density=0.62)


# as in a file


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_masks(pruneexp.prune(network(), 0.2, "magnitude", "greedy_global"), tmp_path / "masks.safetensors")
    return tmp_path


def test_the_counts_of_a_file_by_its_name_or_its_folders(saved: Path) -> None:
    want = kept(pruneexp.prune(network(), 0.2, "magnitude", "greedy_global"))
    for path in (saved, saved / "masks.safetensors"):
        assert kept(masks_of("masker=random", "allocation=file", f"allocation.path={path}")) == want


def keys(path: Path) -> set[str]:
    grid = expand(["masker=random", "allocation=file", f"allocation.path={path}", "seed=0", "densities=[0.2]"])
    return {slot.job.cell(slot.density, "float32").key for slot in grid.slots}


def test_a_cell_knows_the_counts_of_a_file_and_neither_its_place_nor_its_weights(saved: Path, tmp_path: Path) -> None:
    masks = pruneexp.prune(network(), 0.2, "magnitude", "greedy_global")
    turned = {name: mask.flip(0) for name, mask in masks.items()}
    save_masks(turned, tmp_path / "turned.safetensors")
    save_masks(pruneexp.prune(network(), 0.2, masker="erk"), tmp_path / "other.safetensors")
    assert keys(saved) == keys(tmp_path / "turned.safetensors") != keys(tmp_path / "other.safetensors")


def test_a_file_that_keeps_another_number_is_refused_with_the_density_that_it_has(saved: Path) -> None:
    words = ("masker=random", "allocation=file", f"allocation.path={saved}")
    total = sum(mask.numel() for mask in masks_of("masker=random").values())
    with pytest.raises(
        UserError, match=r"^allocation\.path=\S+ keeps 230 weights of these layers, and the density asks for 345: use"
    ) as caught:
        masks_of(*words, density=0.3)
    density = float(str(caught.value).rpartition("[")[2].removesuffix("]."))
    assert round(density * total) == 230
    assert sum(kept(masks_of(*words, density=density))) == 230


@pytest.mark.parametrize(("shape", "has"), [((21, 20), "400 of it"), (None, "none of it")])
def test_a_file_of_another_network_is_refused_by_its_layer(
    saved: Path, shape: tuple[int, int] | None, has: str
) -> None:
    layers = [Layer("7.weight", torch.zeros(4, 20), torch.ones(4, 20, dtype=torch.bool))]
    layers.append(
        Layer("5.weight" if shape else "fc.weight", torch.zeros(21, 20), torch.ones(21, 20, dtype=torch.bool))
    )
    name = layers[1].name
    has = "800 of it" if shape else has
    with pytest.raises(
        UserError,
        match=rf"^allocation\.path=\S+ holds the masks of another network: {name} has 420 weights, and it has {has}\.$",
    ):
        counts_of("file", Case(layers, 100), f"allocation.path={saved}")
