"""Each layer's number of weights, against bisection on eps and densities worked out by hand."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pruneexp.allocations.by_shape import Allocation, allocate
from pruneexp.allocations.er_published import er_published
from pruneexp.layers import Layer
from pruneexp.maskers.random_layers import random_layers
from pruneexp.network.prunable import prunable
from pruneexp.sweep import named
from pruneexp.system.shipped import published_dir
from tests.graphs.oracles import Array
from tests.properties import PROPERTY

Shape = tuple[int, ...]
ALLOCATIONS: list[Allocation] = ["uniform", "er", "erk", "vertices"]
every_allocation = pytest.mark.parametrize("allocation", ALLOCATIONS)

LENET = [(300, 784), (100, 300), (10, 100)]
VGG = [(64, 3, 3, 3), (128, 64, 3, 3), (256, 128, 3, 3), (512, 256, 1, 1), (10, 512)]


def layers(*shapes: Shape, available: list[int] | None = None) -> list[Layer]:
    """Layers of which the first so many weights are available."""
    made = []
    for k, shape in enumerate(shapes):
        free = torch.ones(shape, dtype=torch.bool)
        if available is not None:
            free.view(-1)[available[k] :] = False
        made.append(Layer(f"{k}.weight", torch.zeros(shape), free))
    return made


def size(*shapes: Shape) -> int:
    return sum(math.prod(shape) for shape in shapes)


def density(shape: Shape, allocation: Allocation) -> float:
    """Of a layer, up to a factor common to all, in its paper's words."""
    n_out, n_in, *kernel = shape
    if allocation == "uniform":
        return 1.0
    if allocation == "er":  # Mocanu et al. 2018: eps (n_in + n_out) / (n_in n_out)
        return (n_in + n_out) / (n_in * n_out)
    if allocation == "erk":  # Evci et al. 2020: 1 - sparsity goes with (n_in + n_out + w + h) / (n_in n_out w h)
        return (n_in + n_out + sum(kernel)) / (n_in * n_out * math.prod(kernel))
    vertices = n_out + n_in * math.prod(kernel)
    return vertices * math.log(vertices) / math.prod(shape)


def bisected(shapes: list[Shape], capacity: Array, least: Array, count: int, allocation: Allocation) -> Array:
    """min(capacity, max(least, eps * share)) of every layer, eps found by halving."""
    share = np.array([density(shape, allocation) * math.prod(shape) for shape in shapes])

    def counts(eps: float) -> Array:
        return np.minimum(capacity, np.maximum(least, eps * share))

    low, high = 0.0, float((capacity / share).max())
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if counts(middle).sum() < count else (low, middle)
    return counts(high)


@st.composite
def budgets(draw: st.DrawFn) -> tuple[list[Shape], list[int], list[int], int]:
    """Shapes, available weights and floors of the layers, and a count that they allow."""
    linear = st.tuples(st.integers(1, 40), st.integers(1, 40))
    convolution = st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 3), st.integers(1, 3))
    shapes: list[Shape] = draw(st.lists(st.one_of(linear, convolution), min_size=1, max_size=6))
    full = [math.prod(shape) for shape in shapes]
    capacity = [draw(st.one_of(st.just(most), st.integers(0, most))) for most in full]
    least = [draw(st.one_of(st.just(0), st.integers(0, most), st.just(most))) for most in capacity]
    return shapes, capacity, least, draw(st.integers(sum(least), sum(capacity)))


@every_allocation
@PROPERTY
@given(budgets())
def test_counts_sum_exactly_and_are_next_to_the_bisected_shares(
    allocation: Allocation, budget: tuple[list[Shape], list[int], list[int], int]
) -> None:
    shapes, capacity, least, count = budget
    counts = allocate(layers(*shapes, available=capacity), count, allocation, np.array(least))
    assert counts.dtype == np.int64
    assert counts.sum() == count
    assert (counts >= least).all()
    assert (counts <= capacity).all()
    want = bisected(shapes, np.array(capacity), np.array(least), count, allocation)
    assert (np.abs(counts - want) < 1 + 1e-6).all()


@every_allocation
@PROPERTY
@given(budgets())
def test_floors_of_zero_are_the_default(
    allocation: Allocation, budget: tuple[list[Shape], list[int], list[int], int]
) -> None:
    shapes, capacity, _, count = budget
    of = layers(*shapes, available=capacity)
    assert allocate(of, count, allocation).tolist() == allocate(of, count, allocation, 0 * np.array(capacity)).tolist()


@every_allocation
def test_all_and_nothing(allocation: Allocation) -> None:
    of = layers(*VGG)
    assert allocate(of, size(*VGG), allocation).tolist() == [math.prod(shape) for shape in VGG]
    assert allocate(of, 0, allocation).tolist() == [0] * len(VGG)


@every_allocation
def test_more_weights_never_take_one_from_a_layer_by_more_than_rounding(allocation: Allocation) -> None:
    of = layers(*VGG)
    counts = np.array([allocate(of, count, allocation) for count in range(0, size(*VGG), 7001)])
    assert (np.diff(counts, axis=0) >= -1).all()


@every_allocation
def test_densities_of_a_perceptron_are_in_the_papers_proportion(allocation: Allocation) -> None:
    counts = allocate(layers(*LENET), 8000, allocation)
    got = counts / [math.prod(shape) for shape in LENET]
    want = np.array([density(shape, allocation) for shape in LENET])
    assert got / got[0] == pytest.approx(want / want[0], rel=0.01)


def test_er_and_erk_agree_on_linear_layers_and_differ_on_convolutions() -> None:
    assert allocate(layers(*LENET), 8000, "er").tolist() == allocate(layers(*LENET), 8000, "erk").tolist()
    assert allocate(layers(*VGG), 8000, "er").tolist() != allocate(layers(*VGG), 8000, "erk").tolist()


def test_er_by_hand() -> None:
    # shares (784 + 300), (300 + 100), (100 + 10) = 1594, times eps = 5
    assert allocate(layers(*LENET), 5 * 1594, "er").tolist() == [5420, 2000, 550]
    # a convolution's density is that of its channels, so its share counts the kernel: 9 (3 + 8), 9 (8 + 16), 16 + 10
    assert allocate(layers((8, 3, 3, 3), (16, 8, 3, 3), (10, 16)), 341, "er").tolist() == [99, 216, 26]


def test_erk_by_hand() -> None:
    # 3 + 8 + 3 + 3, 8 + 16 + 3 + 3, 16 + 10, times eps = 4
    assert allocate(layers((8, 3, 3, 3), (16, 8, 3, 3), (10, 16)), 4 * 73, "erk").tolist() == [68, 120, 104]
    # a kernel counts with its height and width
    assert allocate(layers((4, 4, 1, 5), (8, 4, 3, 3)), 2 * 14 + 2 * 18, "erk").tolist() == [28, 36]


def test_uniform_is_the_same_density_everywhere() -> None:
    counts = allocate(layers(*VGG), size(*VGG) // 8, "uniform")
    assert (np.abs(counts - np.array([math.prod(shape) / 8 for shape in VGG])) < 1).all()


def test_vertices_by_hand() -> None:
    # the kernel's positions are inputs of their own: 8 + 27 and 10 + 16 vertices
    a, b = 35 * math.log(35), 26 * math.log(26)
    counts = allocate(layers((8, 3, 3, 3), (10, 16)), 100, "vertices")
    assert (np.abs(counts - np.array([100 * a / (a + b), 100 * b / (a + b)])) < 1).all()


def test_a_layer_whose_share_exceeds_its_size_is_dense_and_the_others_share_what_it_leaves() -> None:
    # eps = 2 gives 2 (4 + 2) = 12 of 8 weights to the first: it has 8, the others 2 (10 + 20) and 2 (20 + 40)
    assert allocate(layers((4, 2), (10, 20), (20, 40)), 188, "er").tolist() == [8, 60, 120]
    # eps = 3: 27 of 18, 3 (4 + 8 + 6), 3 (8 + 16 + 6)
    assert allocate(layers((2, 1, 3, 3), (8, 4, 3, 3), (16, 8, 3, 3)), 162, "erk").tolist() == [18, 54, 90]


def test_small_layers_of_a_vgg_are_dense_under_erk() -> None:
    counts = allocate(layers(*VGG), size(*VGG) // 4, "erk")
    # eps above 1728 / (64 + 3 + 6) fills the first convolution, above 5120 / (512 + 10) the output
    eps = counts[1] / (128 + 64 + 6)
    assert eps > 1728 / 73
    assert counts[[0, 4]].tolist() == [1728, 5120]
    assert counts[2] == pytest.approx(eps * (256 + 128 + 6), rel=1e-3)
    assert counts[3] == pytest.approx(eps * (512 + 256 + 2), rel=1e-3)


def test_a_floor_is_kept_and_paid_for_by_the_others() -> None:
    of, least = layers((10, 20), (20, 40), (10, 10)), np.array([100, 0, 0])
    # without: 30, 60 and 20 of 110 at eps = 1
    assert allocate(of, 110, "er").tolist() == [30, 60, 20]
    assert allocate(of, 180, "er", least).tolist() == [100, 60, 20]
    # where the share is larger than the floor, the floor is nothing
    assert allocate(of, 440, "er", least).tolist() == allocate(of, 440, "er").tolist() == [120, 240, 80]


def test_what_earlier_rounds_left_is_the_limit() -> None:
    of = layers((10, 20), (20, 40), (10, 10), available=[12, 800, 0])
    assert allocate(of, 72, "er").tolist() == [12, 60, 0]
    assert allocate(of, 812, "er").tolist() == [12, 800, 0]


def test_floors_that_leave_nothing_over_are_the_answer() -> None:
    least = np.array([7, 11, 3])
    assert allocate(layers(*LENET), 21, "erk", least).tolist() == [7, 11, 3]


# er_published

NETWORKS = ("conv6", "resnet20", "resnet32", "wrn28_2")


def of_network(name: str) -> list[Layer]:
    """The layers of a network for CIFAR-10 that is never allocated."""
    with torch.device("meta"):
        weights = prunable(named("model", name).make(num_classes=10, input_shape=(3, 32, 32)))
    free = torch.ones((), dtype=torch.bool)
    return [Layer(key, weight, free.expand(weight.shape)) for key, weight in weights.items()]


def test_er_published_is_the_rule_that_the_networks_of_the_pool_were_drawn_by() -> None:
    """In all 20 of its settings the layers' densities, means of three seeds, are ours up to the chance of a draw of each weight."""
    pool = pd.read_csv(published_dir() / "mge_pool_layers.csv.gz").query("method == 'er'")
    deviations = []
    for model in NETWORKS:
        of = of_network(model)
        sizes = np.array([layer.size for layer in of])
        for sparsity, theirs in pool[pool["model"] == model].groupby("sparsity"):
            ours = er_published(of, 1 - float(str(sparsity))) / sizes
            drawn = theirs["layer_density"].to_numpy()
            assert (drawn[ours == 1] == 1).all()
            error = np.sqrt(ours * (1 - ours) / (3 * sizes))
            deviations.append((drawn - ours)[ours < 1] / error[ours < 1])
    assert len(deviations) == 20
    standard = np.concatenate(deviations)
    assert len(standard) == 400
    assert np.abs(standard).max() < 4
    assert 0.9 < np.sqrt((standard**2).mean()) < 1.1


@pytest.mark.parametrize(
    ("model", "densities", "share"),
    [  # of the first layers, and in the last place of the last; and what is kept of what is asked for
        ("conv6", {0: 1.0, 1: 0.12354, 3: 0.09191, 7: 0.02983, 10: 0.26379, 11: 1.0}, 0.974),
        ("resnet20", {0: 0.91975, 1: 0.26273, 8: 0.11900, 9: 1.0, 16: 0.75993, 20: 0.05844, 21: 1.0}, 0.942),
    ],
)
def test_layer_densities_of_the_pools_networks_at_a_tenth(
    model: str, densities: dict[int, float], share: float
) -> None:
    of = {int(place): layer for place, layer in enumerate(of_network(model))}
    counts = er_published(list(of.values()), 0.1)
    # the pool numbers modules, of Conv-6 the three poolings too
    places = [0, 1, 3, 4, 6, 7, 9, 10, 11] if model == "conv6" else list(of)
    got = {place: count / of[k].size for k, (place, count) in enumerate(zip(places, counts.tolist(), strict=True))}
    assert {place: got[place] for place in densities} == pytest.approx(densities, rel=0.03)
    assert counts.sum() / (0.1 * sum(layer.size for layer in of.values())) == pytest.approx(share, abs=0.002)


def test_er_published_takes_one_step_more_after_it_has_arrived_and_gives_nothing_away() -> None:
    # shares 30, 60 and 6 of 200, 800 and 9: eps = 5 after one step and 480 of 484 weights counted, then 5 (1 + 0.475)
    of = layers((10, 20), (20, 40), (3, 3))
    counts = er_published(of, 484 / 1009)
    assert counts.tolist() == [200, 442, 9]
    assert allocate(of, 651, "erk").tolist() == counts.tolist()


def test_random_layers_keep_the_published_numbers_and_not_more_than_earlier_rounds_left() -> None:
    of = layers((10, 20), (20, 40), (3, 3), available=[150, 800, 9])
    masks = random_layers(of, 484 / 1009, torch.Generator().manual_seed(0), {}, "er_published")
    assert [int(mask.sum()) for mask in masks.values()] == [150, 442, 9]
