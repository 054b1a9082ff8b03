"""Maskers that look at no score: what their graphs are, layer by layer, and the numbers of the paper on Ramanujan graphs."""

import math
import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import pruneexp
from pruneexp.allocations.by_shape import Allocation, allocate
from pruneexp.errors import UserError
from pruneexp.graphs.bipartite import biadjacency, components
from pruneexp.graphs.spectrum import bound_gap, imdb, imdb_norm
from pruneexp.layers import Layer, Notes
from pruneexp.maskers.radix_net import radix_net
from pruneexp.maskers.ramanujan import ramanujan
from pruneexp.maskers.ramanujan_fit import ramanujan_fit
from pruneexp.maskers.random_layers import random_layers
from pruneexp.maskers.random_regular import random_regular
from pruneexp.maskers.x_net import x_net
from pruneexp.models.alexnet import alexnet
from pruneexp.models.resnet import resnet_cifar, resnet_imagenet
from pruneexp.models.vgg import vgg, vgg_base
from pruneexp.network.masks import Masks
from pruneexp.network.prunable import prunable
from tests.graphs.oracles import Array
from tests.properties import PROPERTY

Shape = tuple[int, ...]
SHAPES: list[Shape] = [(8, 3, 3, 3), (16, 8, 3, 3), (32, 16), (10, 32)]
ALLOCATIONS: list[Allocation] = ["uniform", "er", "erk", "vertices"]
every_allocation = pytest.mark.parametrize("allocation", ALLOCATIONS)


def layer(name: str, shape: Shape) -> Layer:
    """A layer without memory of its own: only its shape matters."""
    return Layer(name, torch.empty(shape, device="meta"), torch.ones((), dtype=torch.bool).expand(shape))


def layers(*shapes: Shape) -> list[Layer]:
    return [layer(f"{k}.weight", shape) for k, shape in enumerate(shapes)]


def layers_of(build: Callable[[], nn.Module]) -> list[Layer]:
    """The layers of a network that is never allocated."""
    with torch.device("meta"):
        weights = prunable(build())
    return [layer(name, tuple(weight.shape)) for name, weight in weights.items()]


def size(of: list[Layer]) -> int:
    return sum(layer.size for layer in of)


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def unfolded(mask: torch.Tensor) -> Array:
    """[C_out, C_in K_h K_w] of zeros and ones."""
    return np.asarray(mask.reshape(len(mask), -1).numpy().astype(np.float64))


def kept(masks: Masks) -> int:
    return sum(int(mask.sum()) for mask in masks.values())


def spread(counts: Array) -> int:
    return int(counts.max() - counts.min())


# uniform, er, erk


@every_allocation
@pytest.mark.parametrize("density", [0.5, 0.1, 0.05])
def test_random_layers_have_their_allocations_numbers(allocation: Allocation, density: float) -> None:
    of = layers(*SHAPES)
    masks = random_layers(of, density, stream(), {}, allocation)
    counts = [int(mask.sum()) for mask in masks.values()]
    assert counts == allocate(of, round(density * size(of)), allocation).tolist()


def test_uniform_has_the_same_density_in_every_layer() -> None:
    of = layers(*SHAPES)
    for density in (0.5, 0.1, 0.03):
        masks = random_layers(of, density, stream(), {}, "uniform")
        assert all(abs(int(masks[one.name].sum()) - density * one.size) < 1 for one in of)


def test_every_weight_of_a_random_layer_is_as_likely_as_the_next_and_every_layer_draws_anew() -> None:
    of = layers((6, 7), (6, 7))
    drawn = [random_layers(of, 30 / 84, stream(seed), {}, "uniform") for seed in range(400)]
    frequency = torch.stack([masks["0.weight"].double() for masks in drawn]).mean(dim=0)
    # 15 of 42 weights, and six standard errors of a frequency over 400 draws
    assert (frequency - 15 / 42).abs().max() < 6 * math.sqrt(15 / 42 * 27 / 42 / 400)
    assert frequency.std() > 0
    same = sum(torch.equal(masks["0.weight"], masks["1.weight"]) for masks in drawn)
    assert same == 0


@pytest.mark.parametrize("masker", [random_layers, x_net, random_regular, ramanujan_fit])
def test_an_unknown_allocation_is_refused_with_those_that_exist(masker: Callable[..., Masks]) -> None:
    with pytest.raises(
        UserError,
        match=r"allocation must be uniform, er, erk(, vertices or er_published| or vertices), got 'kernel'\.$",
    ):
        masker(layers(*SHAPES), 0.5, stream(), {}, "kernel")


@pytest.mark.parametrize(("name", "scorer"), [("erk", "snip"), ("uniform", "synflow"), ("x_net", "magnitude")])
def test_prune_asks_no_scorer_for_scores_of_a_masker_that_needs_none(name: str, scorer: str) -> None:
    model = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 5))
    masks = pruneexp.prune(model, 0.2, scorer, name)  # snip without data, synflow without a shape
    assert kept(masks) == 150
    other = pruneexp.prune(model, 0.2, "random", name)
    assert all(torch.equal(mask, other[key]) for key, mask in masks.items())
    with pytest.raises(UserError, match="there is no scorer 'snap'"):
        pruneexp.prune(model, 0.2, "snap", name)


# x_net, random_regular


@every_allocation
@pytest.mark.parametrize("density", [0.6, 0.2, 0.04])
def test_filters_of_x_net_keep_as_many_weights_up_to_one(allocation: Allocation, density: float) -> None:
    of = layers(*SHAPES)
    masks = x_net(of, density, stream(), {}, allocation)
    assert [int(mask.sum()) for mask in masks.values()] == allocate(of, round(density * size(of)), allocation).tolist()
    assert all(spread(unfolded(mask).sum(axis=1)) <= 1 for mask in masks.values())


def test_x_net_is_uniform_unless_told_otherwise_and_random_regular_erk() -> None:
    of = layers(*SHAPES)
    defaults: list[tuple[Callable[..., Masks], str]] = [
        (x_net, "uniform"),
        (random_regular, "erk"),
        (random_layers, "erk"),
    ]
    for masker, allocation in defaults:
        default, spelled = masker(of, 0.1, stream(), {}), masker(of, 0.1, stream(), {}, allocation)
        assert all(torch.equal(default[name], spelled[name]) for name in default)


def test_the_inputs_of_x_nets_filters_are_random() -> None:
    of = layers((6, 8))
    drawn = torch.stack([x_net(of, 15 / 48, stream(seed), {})["0.weight"].double() for seed in range(400)])
    # 15 weights in 6 filters: 2 or 3 each, the third at random filters, every input as likely
    assert (drawn.mean(dim=0) - 15 / 48).abs().max() < 6 * math.sqrt(15 / 48 * 33 / 48 / 400)
    assert ((drawn.sum(dim=2) == 3).double().mean(dim=0) - 0.5).abs().max() < 6 * math.sqrt(0.25 / 400)
    # the inputs' numbers are left to chance
    assert len({int(count) for count in drawn.sum(dim=1).ravel()}) > 4
    assert not torch.equal(drawn[:, 0].mean(dim=0), drawn[:, 1].mean(dim=0))


@every_allocation
@pytest.mark.parametrize("density", [0.9, 0.5, 0.2, 0.04])
def test_random_regular_is_even_on_both_sides(allocation: Allocation, density: float) -> None:
    of = layers(*SHAPES)
    masks = random_regular(of, density, stream(), {}, allocation)
    assert [int(mask.sum()) for mask in masks.values()] == allocate(of, round(density * size(of)), allocation).tolist()
    for mask in masks.values():
        assert spread(unfolded(mask).sum(axis=0)) <= 1
        assert spread(unfolded(mask).sum(axis=1)) <= 1


@pytest.mark.parametrize("masker", [x_net, random_regular])
def test_layers_of_one_shape_are_drawn_apart(masker: Callable[..., Masks]) -> None:
    masks = masker(layers((12, 12), (12, 12)), 0.3, stream(), {})
    assert not torch.equal(masks["0.weight"], masks["1.weight"])
    other = masker(layers((12, 12), (12, 12)), 0.3, stream(1), {})
    assert not torch.equal(masks["0.weight"], other["0.weight"])


# radix_net


def turns(masks: Masks, width: int) -> list[tuple[list[int], Array]]:
    """Radices and the product of the matrices of each full turn of layers of one width."""
    found = []
    radices, product = [], np.eye(width)
    for mask in masks.values():
        matrix = unfolded(mask)
        radices.append(int(matrix[0].sum()))
        product = matrix @ product
        if math.prod(radices) == width:
            found.append((radices, product))
            radices, product = [], np.eye(width)
    return found


@pytest.mark.parametrize(
    ("width", "density", "radices"),
    [
        (64, 1 / 16, [4, 4, 4]),
        (64, 0.1, [8, 8]),
        (64, 1 / 32, [2] * 6),
        (36, 1 / 6, [6, 6]),
        (24, 0.15, [4, 3, 2]),
        (30, 0.1, [3, 2, 5]),
        (17, 0.2, [17]),
    ],
)
def test_a_full_turn_of_radix_net_has_one_path_from_every_input_to_every_output(
    width: int, density: float, radices: list[int]
) -> None:
    masks = radix_net(layers(*[(width, width)] * 12), density, stream(), {})
    found = turns(masks, width)
    assert len(found) == 12 // len(radices)
    for turn, paths in found:
        assert turn == radices
        assert (paths == 1).all()


@pytest.mark.parametrize("density", [0.5, 0.1, 0.05, 0.01])
def test_radix_net_is_regular_with_density_r_over_g(density: float) -> None:
    shapes = [*SHAPES, (64, 32, 3, 3), (64, 64, 3, 3), (64, 64, 3, 3), (48, 36)]
    masks = radix_net(layers(*shapes), density, stream(), {})
    for mask in masks.values():
        matrix = unfolded(mask)
        g = math.gcd(*matrix.shape)
        radix = matrix.sum() * g / matrix.size
        assert radix == int(radix)
        assert g % int(radix) == 0
        assert (matrix.sum(axis=0) == radix * len(matrix) / g).all()
        assert (matrix.sum(axis=1) == radix * matrix.shape[1] / g).all()


def test_radix_nets_edges_are_blocks_of_a_butterfly() -> None:
    # g = 4, two of four blocks, 2 x 3 in the first layer and 3 x 2 in the second, which is at place 2
    masks = radix_net(layers((8, 12), (12, 8)), 0.5, stream(), {})
    first = np.kron(np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1], [1, 0, 0, 1]]), np.ones((2, 3)))
    second = np.kron(np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1]]), np.ones((3, 2)))
    assert (unfolded(masks["0.weight"]) == first).all()
    assert (unfolded(masks["1.weight"]) == second).all()
    assert (second @ first == 2).all()  # a turn: as many paths everywhere


def test_radix_net_says_which_layers_allow_no_smaller_density() -> None:
    notes: Notes = {}
    masks = radix_net(layers((8, 27), (10, 33), (8, 12), (3, 3)), 0.1, stream(), notes)
    assert [bool(mask.all()) for mask in masks.values()] == [True, True, False, True]
    assert notes == {"dense_layers": 3}


@pytest.mark.parametrize("density", [0.5, 0.1, 0.02])
def test_radix_net_on_a_real_network_is_next_to_the_density_asked_for(density: float) -> None:
    of = layers_of(lambda: vgg(10, (3, 32, 32), 16))
    got = kept(radix_net(of, density, stream(), {})) / size(of)
    assert density / 2 < got < 2 * density


def test_neither_radix_net_nor_ramanujan_draws_at_random() -> None:
    shapes = [(64, 32, 3, 3), (64, 64, 3, 3), (16, 64)]
    for masker, density in ((radix_net, 0.1), (ramanujan, 0.3975)):
        first, second = (masker(layers(*shapes), density, stream(seed), {}) for seed in (0, 1))
        assert all(torch.equal(first[name], second[name]) for name in first)


# ramanujan: the paper's numbers

VGG16_NORM, RESNET34_NORM = (
    0.19161624,
    0.20662542,
)  # of the layers whose plain mean the paper prints, each gap over its bound
# c_out, c_in, how many 3x3 convolutions, q, l: Table 2
TABLE2 = {
    "vgg13": [(256, 256, 1, 13, 177), (512, 256, 1, 19, 121), (512, 512, 3, 19, 242)],
    "vgg16": [(256, 256, 2, 13, 177), (512, 256, 1, 19, 121), (512, 512, 5, 19, 242)],
    "vgg19": [(256, 256, 3, 13, 177), (512, 256, 1, 19, 121), (512, 512, 7, 19, 242)],
    "alexnet": [(384, 256, 1, 19, 121), (384, 384, 1, 19, 181), (256, 384, 1, 13, 265)],
    "resnet18": [
        (64, 64, 4, 7, 82),
        (128, 64, 1, 11, 52),
        (128, 128, 3, 11, 104),
        (256, 128, 1, 13, 88),
        (256, 256, 3, 13, 177),
        (512, 256, 1, 19, 121),
        (512, 512, 3, 19, 242),
    ],
    "resnet34": [
        (64, 64, 6, 7, 82),
        (128, 64, 1, 11, 52),
        (128, 128, 7, 11, 104),
        (256, 128, 1, 13, 88),
        (256, 256, 11, 13, 177),
        (512, 256, 1, 19, 121),
        (512, 512, 5, 19, 242),
    ],
}
TO_LINEAR = (47, 533)  # 2448 x 25088
NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "vgg13": lambda hidden: vgg_base(10, (3, 32, 32), 13, hidden),
    "vgg16": lambda hidden: vgg_base(10, (3, 32, 32), 16, hidden),
    "vgg19": lambda hidden: vgg_base(10, (3, 32, 32), 19, hidden),
    "alexnet": lambda hidden: alexnet(10, (3, 32, 32), hidden),
    "resnet18": lambda _: resnet_imagenet(10, (3, 32, 32), 18),
    "resnet34": lambda _: resnet_imagenet(10, (3, 32, 32), 34),
}
RESNETS = pytest.mark.parametrize(("name", "density", "codes"), [("resnet18", 0.05816, 16), ("resnet34", 0.05275, 32)])


def least_channels(name: str) -> int:
    return 64 if name.startswith("resnet") else 256


def network(name: str, hidden: int = 2448) -> list[Layer]:
    return layers_of(lambda: NETWORKS[name](hidden))


def own_density(of: list[Layer], channels: int) -> float:
    """The density that the masker's refusal names."""
    with pytest.raises(UserError) as caught:
        ramanujan(of, 0.9, stream(), {}, least_channels=channels)
    found = re.search(r"use densities=\[(\S+)\]\.$", str(caught.value))
    assert found, str(caught.value)
    return float(found[1])


@pytest.fixture(scope="module")
def convolutions() -> dict[str, Masks]:
    """The paper's masks of every network's convolutions."""
    masks = {}
    for name in TABLE2:
        of = [one for one in network(name) if one.score.ndim == 4]
        masks[name] = ramanujan(
            of, own_density(of, least_channels(name)), stream(), {}, least_channels=least_channels(name)
        )
    return masks


@pytest.fixture(scope="module")
def vgg16_2448() -> Masks:
    """VGG-16 with 2448 neurons, whole: one of its masks has 61 million entries."""
    notes: Notes = {}
    masks = ramanujan(network("vgg16"), 0.029, stream(), notes, least_channels=256)
    assert notes == {"lps_layers": 1, "array_code_layers": 9, "dense_layers": 6}
    return masks


def array_code(q: int, l: int) -> Array:
    """B(q, l) in full: block (i, j) is the cyclic shift of q elements to the power i j."""
    shift = np.roll(np.eye(q), -1, axis=0)  # row x has its one at x + 1
    powers = [np.linalg.matrix_power(shift, k) for k in range(q)]
    return np.block([[powers[-i * j % q] for j in range(l)] for i in range(q)])


@pytest.mark.parametrize("name", TABLE2)
def test_every_row_of_table_2_is_the_array_code_of_those_layers(name: str, convolutions: dict[str, Masks]) -> None:
    pruned = {key: unfolded(mask) for key, mask in convolutions[name].items() if not mask.all()}
    rows = {(c_out, 9 * c_in): (count, q, l) for c_out, c_in, count, q, l in TABLE2[name]}
    assert len(rows) == len(TABLE2[name])
    for shape, (count, q, l) in rows.items():
        found = [matrix for matrix in pruned.values() if matrix.shape == shape]
        assert len(found) == count
        for matrix in found:
            assert matrix.sum() == q * q * l
            assert matrix[: q * q, : q * l].sum() == q * q * l
            assert (matrix.sum(axis=1) == np.where(np.arange(shape[0]) < q * q, l, 0)).all()
            assert (matrix.sum(axis=0) == np.where(np.arange(shape[1]) < q * l, q, 0)).all()
            assert (matrix == found[0]).all()
    assert len(pruned) == sum(count for count, _, _ in rows.values())


def test_the_corner_is_the_array_code_itself(convolutions: dict[str, Masks]) -> None:
    masks = [unfolded(mask) for mask in convolutions["resnet18"].values()]
    for shape, q, l in (((64, 576), 7, 82), ((256, 1152), 13, 88)):
        matrix = next(matrix for matrix in masks if matrix.shape == shape and not matrix.all())
        assert (matrix[: q * q, : q * l] == array_code(q, l)).all()


@RESNETS
def test_the_resnets_of_table_5(name: str, density: float, codes: int) -> None:
    of, notes = network(name), Notes()
    masks = ramanujan(of, density, stream(), notes)
    assert kept(masks) / size(of) == pytest.approx(density, abs=5e-6)
    # the rest: the stem, three 1x1 shortcuts, the output
    assert notes == {"lps_layers": 0, "array_code_layers": codes, "dense_layers": 5}
    dense = {tuple(mask.shape[1:]) for mask in masks.values() if mask.all()}
    assert dense == {(3, 3, 3), (64, 1, 1), (128, 1, 1), (256, 1, 1), (512,)}
    published = {0.05816: 0.058, 0.05275: 0.053}[density]  # of the experiments
    again = ramanujan(of, published, stream(), {})
    assert all(torch.equal(mask, again[key]) for key, mask in masks.items())


@pytest.mark.parametrize(("channels", "dead"), [(64, 15), (128, 7), (256, 87), (512, 151)])
def test_filters_beyond_the_array_codes_rows_are_dead(channels: int, dead: int, convolutions: dict[str, Masks]) -> None:
    for name in ("resnet18", "resnet34"):
        of = [mask for mask in convolutions[name].values() if len(mask) == channels and not mask.all()]
        assert of
        assert {int((~mask.reshape(channels, -1).any(dim=1)).sum()) for mask in of} == {dead}


def golden(masks: list[torch.Tensor], measure: Callable[[torch.Tensor], float]) -> float:
    """The mean over the layers; those of one shape are equal (see above) and measured once."""
    shapes = [tuple(mask.shape) for mask in masks]
    one = {shape: measure(biadjacency(mask)) for shape, mask in zip(shapes, masks, strict=True)}
    return float(np.mean([one[shape] for shape in shapes]))


@pytest.mark.parametrize(("measure", "value"), [(bound_gap, 3.0988477), (imdb, 3.0988477), (imdb_norm, RESNET34_NORM)])
def test_the_imdb_of_resnet34_is_the_papers(
    measure: Callable[[torch.Tensor], float], value: float, convolutions: dict[str, Masks]
) -> None:
    codes = [mask for mask in convolutions["resnet34"].values() if not mask.all()]
    assert len(codes) == 32
    assert golden(codes, measure) == pytest.approx(value, abs=5e-8)


def closed_form(q: int, l: int) -> float:
    """Gap over bound of B(q, l), degrees l and q, sigma_2 = sqrt(q ceil(l / q)); see `pruneexp.graphs.ramanujan.array_code`."""
    return 1 - math.sqrt(q * math.ceil(l / q)) / (math.sqrt(l - 1) + math.sqrt(q - 1))


@pytest.mark.parametrize(("name", "value"), [("resnet34", RESNET34_NORM), ("vgg16", VGG16_NORM)])
def test_the_papers_normalised_imdb_follows_from_closed_forms(name: str, value: float) -> None:
    gaps = [closed_form(q, l) for _, _, count, q, l in TABLE2[name] for _ in range(count)]
    if name == "vgg16":
        gaps.append(1 - 10 / (2 * math.sqrt(29)))  # X^{29,17}: sigma_2 = 10
    assert float(np.mean(gaps)) == pytest.approx(value, abs=5e-8)
    # below what SynFlow's and SNIP's masks have in the same table; with the layers that stay dense, of which each has 1, above
    printed = {"vgg16": 0.347729, "resnet34": 0.297726}[name]
    all_layers = [
        *gaps,
        *([closed_form(*TO_LINEAR)] if name == "vgg16" else []),
        *[1.0] * {"vgg16": 6, "resnet34": 5}[name],
    ]
    assert len(all_layers) == {"vgg16": 16, "resnet34": 37}[name]
    assert value < printed < float(np.mean(all_layers))
    assert float(np.mean(all_layers)) == pytest.approx({"vgg16": 0.496, "resnet34": 0.314}[name], abs=5e-4)


def test_the_imdb_of_vgg16_is_the_papers_over_its_convolutions_and_the_lps_layer(vgg16_2448: Masks) -> None:
    codes = [mask for key, mask in vgg16_2448.items() if not mask.all() and key != "classifier.0.weight"]
    assert [tuple(mask.shape) for mask in codes[-2:]] == [(512, 512, 3, 3), (2448, 2448)]
    assert len(codes) == 9
    assert golden(codes, bound_gap) == pytest.approx(3.4630549, abs=5e-8)
    assert golden(codes, imdb_norm) == pytest.approx(VGG16_NORM, abs=5e-8)
    lps = bound_gap(biadjacency(codes[-1]))
    assert 2 * math.sqrt(29) - lps == pytest.approx(10.0, abs=1e-6)


def test_imdb_is_the_bound_gap_on_an_array_code(convolutions: dict[str, Masks]) -> None:
    for mask in {tuple(mask.shape): mask for mask in convolutions["vgg16"].values() if not mask.all()}.values():
        assert imdb(biadjacency(mask)) == pytest.approx(bound_gap(biadjacency(mask)), abs=1e-9)


def test_the_layer_after_the_convolutions_is_the_47_by_533_code(vgg16_2448: Masks) -> None:
    mask, (q, l) = vgg16_2448["classifier.0.weight"], TO_LINEAR
    assert mask.shape == (2448, 25088)
    assert int(mask.sum()) == q * q * l
    assert (mask.sum(dim=1)[: q * q] == l).all()
    assert int((~mask.any(dim=1)).sum()) == 2448 - q * q == 239
    assert (mask.sum(dim=0)[: q * l] == q).all()
    assert int((~mask.any(dim=0)).sum()) == 25088 - q * l


@pytest.mark.parametrize(("p", "percent"), [(5, 0.0875), (29, 0.438), (109, 1.605)])
def test_the_lps_layer_has_the_densities_of_table_1_relative_to_4096_neurons(p: int, percent: float) -> None:
    notes = Notes()
    of = [layer("fc", (2448, 2448))]
    mask = ramanujan(of, (p + 1) / 2448, stream(), notes, p=p, convolutions=False)["fc"]
    assert (mask.sum(dim=0) == p + 1).all()
    assert (mask.sum(dim=1) == p + 1).all()
    assert 100 * int(mask.sum()) / 4096**2 == pytest.approx(percent, abs=5e-4)
    assert notes == {"lps_layers": 1, "array_code_layers": 0, "dense_layers": 0}


def whole(name: str, masks: Masks) -> int:
    """Kept weights with 2448 neurons, of the convolutions' masks and what the linear layers' graphs have."""
    q, l = TO_LINEAR
    return kept(masks) + q * q * l + 30 * 2448 + 10 * 2448


def test_the_whole_network_is_the_sum_of_its_graphs(convolutions: dict[str, Masks], vgg16_2448: Masks) -> None:
    assert kept(vgg16_2448) == whole("vgg16", convolutions["vgg16"])
    assert kept(vgg16_2448) / size(network("vgg16")) == pytest.approx(0.0289, abs=5e-5)


@pytest.mark.parametrize(
    ("name", "unpruned", "percent", "own"),
    [
        # printed: 1.7 % for all three, which is of the unpruned VGGs with 4096 neurons; AlexNet's 2.3 % is of the one with 2448
        ("vgg13", 4096, 1.679, 0.029),
        ("vgg16", 4096, 1.765, 0.029),
        ("vgg19", 4096, 1.845, 0.029),
        ("alexnet", 2448, 2.343, 0.0235),
    ],
)
def test_the_whole_networks_of_table_5(
    name: str, unpruned: int, percent: float, own: float, convolutions: dict[str, Masks]
) -> None:
    kept_weights = whole(name, convolutions[name])
    assert 100 * kept_weights / size(network(name, unpruned)) == pytest.approx(percent, abs=5e-4)
    # the density that its experiment asks for is close enough to be granted
    assert abs(kept_weights / size(network(name)) - own) < 0.1 * own


def test_table_4_prunes_the_square_layer_alone(vgg16_2448: Masks) -> None:
    of = network("vgg16")
    masks = ramanujan(of, 0.93, stream(), {}, convolutions=False)
    assert [key for key, mask in masks.items() if not mask.all()] == ["classifier.3.weight"]
    assert torch.equal(masks["classifier.3.weight"], vgg16_2448["classifier.3.weight"])


def test_networks_without_a_layer_for_ramanujan_are_refused() -> None:
    for of, options in (
        (network("resnet18"), {"convolutions": False}),
        (layers_of(lambda: resnet_cifar(10, (3, 32, 32), 20)), {"least_channels": 65}),
        (layers((4096, 25088), (4096, 4096), (10, 4096)), {}),
    ):
        with pytest.raises(UserError, match=r"^ramanujan finds no layer of this network for its graphs: .*\.$"):
            ramanujan(of, 0.058, stream(), {}, **options)


@pytest.mark.parametrize("density", [0.9, 0.1, 0.07, 0.05, 0.01])
def test_another_density_than_its_graphs_is_refused_with_theirs(density: float) -> None:
    of = network("resnet18")
    sentence = (
        rf"^ramanujan's density is given by its graphs, 0\.05816 of this network, and {density} was asked for:"
        r" use densities=\[0\.05816\]\.$"
    )
    with pytest.raises(UserError, match=sentence):
        ramanujan(of, density, stream(), {})


@pytest.mark.parametrize("density", [0.0530, 0.0645])
def test_a_density_within_a_tenth_of_its_graphs_is_granted(density: float) -> None:
    of = network("resnet18")
    assert kept(ramanujan(of, density, stream(), {})) == 649_374


def test_a_prime_without_a_graph_is_refused() -> None:
    with pytest.raises(UserError, match=r"^p=13 is a square mod q=17 "):
        ramanujan([layer("fc", (2448, 2448))], 0.006, stream(), {}, p=13)


@pytest.mark.parametrize("classes", [12, 60])
def test_the_output_layer_stays_dense_whatever_the_number_of_classes(classes: int) -> None:
    of = layers_of(lambda: resnet_imagenet(classes, (3, 32, 32), 18))
    masks = ramanujan(of, 0.058, stream(), {})
    assert bool(masks["fc.weight"].all())


def test_a_convolution_of_fewer_than_four_filters_is_no_crash() -> None:
    masks = ramanujan(layers((64, 64, 3, 3), (3, 64, 3, 3)), 0.15, stream(), {})
    assert bool(masks["1.weight"].any())


# ramanujan_fit


def literal_certificate(mask: torch.Tensor) -> bool:
    """Connected, every degree at least 2, sigma_2 within the bound of the mean degrees."""
    matrix = unfolded(mask)
    rows, columns = matrix.sum(axis=1), matrix.sum(axis=0)
    wide = (matrix if len(matrix) <= matrix.shape[1] else matrix.T).astype(np.float64)
    sigma2 = math.sqrt(max(float(np.linalg.eigvalsh(wide @ wide.T)[-2]), 0.0))
    bound = math.sqrt(rows.mean() - 1) + math.sqrt(columns.mean() - 1)
    number, _, _ = components(biadjacency(mask))
    return number == 1 and min(rows.min(), columns.min()) >= 2 and sigma2 <= bound * (1 + 1e-6)


FITTED: dict[str, Callable[[], nn.Module]] = {
    "vgg16": lambda: vgg(10, (3, 32, 32), 16),
    "resnet20": lambda: resnet_cifar(10, (3, 32, 32), 20),
}


def least(of: list[Layer]) -> int:
    return sum(min(2 * max(len(one.score), one.size // len(one.score)), one.size) for one in of)


@pytest.mark.parametrize("name", FITTED)
@pytest.mark.parametrize("density", [0.1, 0.05, 0.0])
def test_ramanujan_fit_is_certified_and_leaves_no_filter_and_no_input_dead(name: str, density: float) -> None:
    of, notes = layers_of(FITTED[name]), Notes()
    count = round(density * size(of)) or least(of)  # the smallest there is
    masks = ramanujan_fit(of, count / size(of), stream(), notes)
    assert kept(masks) == count
    certified = dense = 0
    for one in of:
        matrix = unfolded(masks[one.name])
        assert matrix.any(axis=0).all()
        assert matrix.any(axis=1).all()
        if matrix.all():
            dense += 1
            continue
        assert spread(matrix.sum(axis=0)) <= 1
        assert spread(matrix.sum(axis=1)) <= 1
        if matrix.sum() < 8 * max(matrix.shape):  # of the larger side's degrees
            assert matrix.sum() % max(matrix.shape) == 0
        certified += literal_certificate(masks[one.name])
    assert notes.pop("dense_layers") == dense
    assert notes.pop("certified_layers") == certified
    assert notes.pop("uncertified_layers") == len(of) - certified - dense
    assert len(notes) == len(of) - certified - dense
    assert certified + dense >= len(of) - 1


@PROPERTY
@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(1, 30)), min_size=1, max_size=4),
    st.floats(0, 1),
    st.integers(0, 1000),
)
def test_ramanujan_fit_of_any_sizes_has_two_weights_at_every_vertex(
    shapes: list[tuple[int, int]], share: float, seed: int
) -> None:
    of, notes = layers(*shapes), Notes()
    count = round(least(of) + share * (size(of) - least(of)))
    masks = ramanujan_fit(of, count / size(of), stream(seed), notes)
    assert kept(masks) == count
    for mask in masks.values():
        matrix = unfolded(mask)
        assert (matrix.sum(axis=1) >= min(2, matrix.shape[1])).all()
        assert (matrix.sum(axis=0) >= min(2, matrix.shape[0])).all()
    told = {key: value for key, value in notes.items() if key.startswith("ratio/")}
    assert len(told) == notes["uncertified_layers"]
    assert sum(notes[f"{kind}_layers"] for kind in ("certified", "uncertified", "dense")) == len(of)


def test_a_layer_without_a_certificate_is_noted_with_its_ratio() -> None:
    # one layer, so that no other can take what a whole degree of 2 leaves over
    notes = Notes()
    mask = ramanujan_fit([layer("fc", (120, 120))], 2.5 / 120, stream(), notes)["fc"]
    assert int(mask.sum()) == 300
    assert not literal_certificate(mask)
    assert (notes["certified_layers"], notes["uncertified_layers"]) == (0, 1)
    matrix = unfolded(mask)
    sigma2 = float(np.linalg.svd(matrix.astype(float), compute_uv=False)[1])
    assert notes["ratio/fc"] == pytest.approx(sigma2 / (2 * math.sqrt(1.5)))
    assert notes["ratio/fc"] > 1 or components(biadjacency(mask))[0] > 1


@every_allocation
def test_ramanujan_fit_follows_its_allocation_where_degrees_are_large(allocation: Allocation) -> None:
    of = layers((32, 32, 3, 3), (32, 64), (16, 32))
    masks = ramanujan_fit(of, 0.6, stream(), {}, allocation)
    want = allocate(of, round(0.6 * size(of)), allocation)
    for mask, count in zip(masks.values(), want.tolist(), strict=True):
        if count >= 8 * max(len(mask), mask[0].numel()):
            assert abs(int(mask.sum()) - count) < max(len(mask), mask[0].numel())


@pytest.mark.parametrize("name", FITTED)
def test_too_small_a_density_for_ramanujan_fit_is_refused_with_the_number_it_needs(name: str) -> None:
    of = layers_of(FITTED[name])
    sentence = (
        rf"^density \S+ keeps {least(of) - 1} weights, and ramanujan_fit needs {least(of)} for two at every filter and every"
        r" input of each layer: use at least \S+\.$"
    )
    with pytest.raises(UserError, match=sentence):
        ramanujan_fit(of, (least(of) - 1) / size(of), stream(), {})


@pytest.mark.parametrize("name", ["vgg16", "resnet20"])
def test_the_density_that_ramanujan_fits_refusal_names_works(name: str) -> None:
    of = layers_of(FITTED[name])
    with pytest.raises(UserError) as caught:
        ramanujan_fit(of, 0.002, stream(), {})
    found = re.search(r"use at least (\S+)\.$", str(caught.value))
    assert found
    density = float(found[1])
    assert kept(ramanujan_fit(of, density, stream(), {})) == round(density * size(of))
