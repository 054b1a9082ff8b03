"""N:M masks: the groups, who wins them, and what is refused."""

import itertools
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import pruneexp
from pruneexp.errors import UserError
from pruneexp.layers import Layer, Notes
from pruneexp.maskers.n_m import n_m
from pruneexp.models.resnet import resnet_cifar
from pruneexp.network.masks import Masks
from pruneexp.network.prunable import prunable
from tests.properties import PROPERTY

PATTERNS = [(2, 4), (1, 4), (4, 8)]
every_pattern = pytest.mark.parametrize(("n", "m"), PATTERNS)
STREAM = torch.Generator()


def layer(score: torch.Tensor, name: str = "fc.weight", available: torch.Tensor | None = None) -> Layer:
    return Layer(name, score, torch.ones(score.shape, dtype=torch.bool) if available is None else available)


def masks_of(layers: list[Layer], n: int, m: int, notes: Notes | None = None) -> Masks:
    """At the density that the construction has."""
    sizes = [(one.size, one.score.shape[1] % m == 0) for one in layers]
    kept = sum(
        size * n // m if grouped else int(one.available.sum())
        for one, (size, grouped) in zip(layers, sizes, strict=True)
    )
    return n_m(layers, kept / sum(size for size, _ in sizes), STREAM, {} if notes is None else notes, n, m)


def bits(text: str) -> torch.Tensor:
    return torch.tensor([[letter == "1" for letter in row] for row in text.split()])


# the groups


def test_the_two_highest_of_each_four_of_a_row() -> None:
    score = torch.tensor([[1.0, 4, 3, 2, 0, 0, 0, 9], [5, 6, 7, 8, 3, 2, 1, 0]])
    assert torch.equal(masks_of([layer(score)], 2, 4)["fc.weight"], bits("01101001 00111100"))


def test_a_group_of_a_convolution_is_of_input_channels_at_one_place_of_the_kernel() -> None:
    # [1, 4, 1, 2]: the columns are the kernel's two places, each a group of four channels
    score = torch.tensor([[9.0, 1], [8, 2], [7, 4], [6, 3]]).reshape(1, 4, 1, 2)
    assert torch.equal(masks_of([layer(score)], 2, 4)["fc.weight"], bits("10 10 01 01").reshape(1, 4, 1, 2))


@every_pattern
def test_of_equal_scores_the_lowest_index_wins(n: int, m: int) -> None:
    for shape in ((3, 2 * m), (2, m, 3, 3)):
        mask = masks_of([layer(torch.full(shape, 0.5))], n, m)["fc.weight"]
        assert (mask == (torch.arange(shape[1]) % m < n).reshape(1, -1, *[1] * (len(shape) - 2))).all()


@every_pattern
@PROPERTY
@given(data=st.data())
def test_every_group_keeps_exactly_n_and_they_are_the_highest(n: int, m: int, data: st.DataObject) -> None:
    kernel = data.draw(st.sampled_from([(), (1, 1), (3, 3), (2, 3), (3,)]))
    out, into = data.draw(st.integers(1, 4)), m * data.draw(st.integers(1, 3))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 1000)))
    score = torch.rand((out, into, *kernel), generator=generator, dtype=torch.float64)
    if data.draw(st.booleans()):
        score = (4 * score).floor() - 2  # ties, and negative scores
    mask = masks_of([layer(score)], n, m)["fc.weight"]
    for row, start, place in itertools.product(range(out), range(0, into, m), itertools.product(*map(range, kernel))):
        where: tuple[int | slice, ...] = (row, slice(start, start + m), *place)
        # Python's sort is stable: of equals the first
        group = score[where].tolist()
        best = sorted(range(m), key=[-value for value in group].__getitem__)[:n]
        assert mask[where].nonzero().ravel().tolist() == sorted(best)


def test_two_of_four_is_what_a_matrix_product_takes_with_the_channels_fastest() -> None:
    score = torch.rand((8, 16, 3, 3), generator=torch.Generator().manual_seed(0))
    mask = masks_of([layer(score)], 2, 4)["fc.weight"]
    channels_last = mask.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1).reshape(8, -1)
    assert (channels_last.reshape(8, -1, 4).sum(dim=2) == 2).all()
    assert not (mask.reshape(8, -1, 4).sum(dim=2) == 2).all()


@every_pattern
def test_a_layer_whose_input_channels_are_no_multiple_of_m_stays_dense(n: int, m: int) -> None:
    shapes = {
        "image": (8, 3, 3, 3),
        "even": (4, 6, 2, 2),
        "depthwise": (16, 1, 3, 3),
        "conv": (16, 8, 3, 3),
        "fc": (10, 16),
    }
    notes: Notes = {}
    masks = masks_of([layer(torch.rand(shape), name) for name, shape in shapes.items()], n, m, notes)
    # 6 x 2 x 2 = 24 weights of a filter are a multiple of 4 and of 8: it is the channels that count
    assert [name for name, mask in masks.items() if mask.all()] == ["image", "even", "depthwise"]
    assert notes == {"dense_layers": 3}
    assert [int(masks[name].sum()) for name in ("conv", "fc")] == [1152 * n // m, 160 * n // m]


def test_half_of_resnet20_but_for_its_first_layer() -> None:
    model = resnet_cifar(10, (3, 32, 32), 20)
    weights = prunable(model)
    masks = pruneexp.prune(model, 0.5, "magnitude", "n_m")
    first, *others = [(int(mask.sum()), mask.numel()) for mask in masks.values()]
    assert first == (432, 432)
    assert all(2 * kept == size for kept, size in others)
    magnitudes = [(weights[name].abs(), mask) for name, mask in masks.items()]
    assert all((size[mask].mean() > size[~mask].mean()) for size, mask in magnitudes[1:])


# earlier masks


def test_what_is_pruned_stays_pruned() -> None:
    # what earlier masks took scores highest
    score, available = torch.tensor([[9.0, 8, 1, 2, 7, 5, 6, 4]]), bits("00111011")
    mask = masks_of([layer(score, available=available)], 2, 4)["fc.weight"]
    assert torch.equal(mask, bits("00111010"))
    # of a layer without groups what is left
    rest = layer(torch.ones(1, 3), "rest", bits("011"))
    masks = masks_of([layer(score, available=available), rest], 2, 4)
    assert torch.equal(masks["rest"], bits("011"))
    assert torch.equal(masks["fc.weight"], mask)


def test_one_of_four_of_a_network_that_is_two_of_four() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 8))
    half = pruneexp.prune(model, 0.5, masker="n_m")
    pruneexp.keep_masks(model, half)
    quarter = pruneexp.prune(model, 0.25, "random", masker="n_m", masker_options={"n": 1})
    for name, mask in quarter.items():
        assert not (mask & ~half[name]).any()
        assert (mask.reshape(-1, 4).sum(dim=1) == 1).all()


def test_a_group_of_which_too_few_are_left_is_refused_by_its_layer() -> None:
    layers = [layer(torch.rand(2, 8)), layer(torch.rand(2, 4), "used", bits("1111 0100"))]
    with pytest.raises(
        UserError,
        match=r"^n_m keeps 2 of each 4 weights, and earlier rounds or masks left fewer of a group of used: it goes with rounds=1,"
        r" levels=1 and masks that leave as many\.$",
    ):
        n_m(layers, 0.5, STREAM, {})


# what is refused


@pytest.mark.parametrize("density", [0.9, 0.64, 0.5, 0.05])
def test_another_density_than_the_constructions_is_refused_with_it(density: float) -> None:
    layers = [layer(torch.rand(8, 3, 3, 3), "a"), layer(torch.rand(16, 8, 3, 3), "b"), layer(torch.rand(10, 16), "c")]
    with pytest.raises(UserError) as caught:
        n_m(layers, density, STREAM, {})
    found = re.fullmatch(
        rf"n_m's density is given by its groups, 0\.5707 of this network, and {density} was asked for:"
        r" use densities=\[(0\.5707)\], rounds=1 and levels=1\.",
        str(caught.value),
    )
    assert found
    masks = n_m(layers, float(found[1]), STREAM, {})
    assert sum(int(mask.sum()) for mask in masks.values()) == 216 + 576 + 80


@pytest.mark.parametrize("density", [0.52, 0.63])
def test_a_density_within_a_tenth_of_the_constructions_is_granted(density: float) -> None:
    layers = [layer(torch.rand(8, 3, 3, 3), "a"), layer(torch.rand(16, 8, 3, 3), "b"), layer(torch.rand(10, 16), "c")]
    assert sum(int(mask.sum()) for mask in n_m(layers, density, STREAM, {}).values()) == 872


def test_a_network_without_groups_is_refused() -> None:
    with pytest.raises(UserError, match=r"^n_m finds no layer of this network for groups of m=8: .*; use another m\.$"):
        n_m([layer(torch.rand(8, 3, 3, 3)), layer(torch.rand(6, 12), "b")], 0.5, STREAM, {}, 4, 8)


@pytest.mark.parametrize(("n", "m"), [(4, 4), (5, 4), (1, 1)])
def test_groups_that_would_lose_nothing_are_refused_before_anything_is_scored(n: int, m: int) -> None:
    sentence = rf"^n_m keeps n of each m weights, so n must be below m, got n={n} and m={m}\.$"
    with pytest.raises(UserError, match=sentence):
        n_m([layer(torch.rand(8, 8))], 0.5, STREAM, {}, n, m)
    with pytest.raises(UserError, match=sentence):  # snip would ask for data
        pruneexp.prune(nn.Linear(8, 8), 0.5, "snip", "n_m", masker_options={"n": n, "m": m})


@pytest.mark.parametrize("option", ["n", "m"])
def test_numbers_below_one_are_refused(option: str) -> None:
    with pytest.raises(UserError, match=rf"{option} must be .*, got 0\.$"):
        pruneexp.prune(nn.Linear(8, 8), 0.5, masker="n_m", masker_options={option: 0})
