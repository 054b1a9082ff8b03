"""Winograd's convolution against PyTorch's, its derivatives against finite differences, and what is left to PyTorch."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from pruneexp.scorers import convolution as module
from pruneexp.scorers import winograd
from pruneexp.scorers.convolution import Winograd, convolution

Called = list[tuple[int, ...]]


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def derivatives(found: torch.Tensor, images: torch.Tensor, weight: torch.Tensor) -> list[torch.Tensor]:
    """The output, its first derivatives along a vector and theirs along others."""
    first = torch.autograd.grad(found, (images, weight), normal(*found.shape, seed=3), create_graph=True)
    along = [normal(*some.shape, seed=4 + k) for k, some in enumerate(first)]
    second = torch.autograd.grad(first, (images, weight), along)
    return [some.detach() for some in (found, *first, *second)]


@settings(deadline=None, max_examples=40)
@given(
    count=st.integers(1, 3),
    channels=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    height=st.integers(1, 11),
    width=st.integers(1, 11),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
)
def test_it_and_its_first_two_derivatives_are_pytorchs(
    count: int, channels: tuple[int, int], height: int, width: int, padding: tuple[int, int]
) -> None:
    height, width = max(height, 3 - 2 * padding[0]), max(width, 3 - 2 * padding[1])
    images = normal(count, channels[0], height, width).requires_grad_()
    weight = normal(channels[1], channels[0], 3, 3, seed=1).requires_grad_()
    got = derivatives(convolution(images, weight, padding), images, weight)
    want = derivatives(functional.conv2d(images, weight, padding=padding), images, weight)
    for ours, theirs in zip(got, want, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12 * max(1.0, float(theirs.abs().max())))


@pytest.mark.parametrize(
    "size", [(2, 2), (5, 7)]
)  # tiles of two outputs, and of four of which some lie beyond the edge
def test_its_derivatives_are_those_of_finite_differences(size: tuple[int, int]) -> None:
    def convolved(images: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return convolution(images, weight, (1, 1))

    pair = (normal(2, 2, *size).requires_grad_(), normal(3, 2, 3, 3, seed=1).requires_grad_())
    assert torch.autograd.gradcheck(convolved, pair)
    assert torch.autograd.gradgradcheck(convolved, pair)


def test_images_are_taken_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    images, weight = normal(7, 2, 6, 6).requires_grad_(), normal(3, 2, 3, 3, seed=1).requires_grad_()
    whole = derivatives(convolution(images, weight, (1, 1)), images, weight)
    monkeypatch.setattr(winograd, "PIXELS", 72)  # two images, the last alone
    parts = derivatives(convolution(images, weight, (1, 1)), images, weight)
    for ours, theirs in zip(parts, whole, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12 * float(theirs.abs().max()))


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Called:
    """The shapes of the weights that Winograd's algorithm is given."""
    found: Called = []
    own = winograd.convolved

    def noted(images: torch.Tensor, weight: torch.Tensor, padding: tuple[int, int]) -> torch.Tensor:
        found.append(tuple(weight.shape))
        return own(images, weight, padding)

    monkeypatch.setattr(module, "convolved", noted)
    return found


@pytest.mark.parametrize(
    "options", [{"padding": 1}, {"padding": (2, 0)}, {"bias": False}, {"padding_mode": "circular", "padding": 1}]
)
def test_a_networks_convolutions_are_winograds_while_it_is_entered(options: dict[str, Any], called: Called) -> None:
    layer = nn.Conv2d(3, 2, 3, **options).double()
    images = normal(2, 3, 6, 5)
    want = layer(images)
    assert called == []
    with Winograd():
        got = layer(images)
    assert called == [(2, 3, 3, 3)]
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-13)
    assert torch.equal(layer(images), want)
    assert len(called) == 1


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 4, 3, stride=2, padding=1),
        nn.Conv2d(4, 4, 3, stride=(1, 2)),
        nn.Conv2d(4, 4, 3, dilation=2, padding=2),
        nn.Conv2d(4, 4, 3, groups=2),
        nn.Conv2d(4, 4, 3, padding=3),
        nn.Conv2d(4, 4, 3, padding="same"),
        nn.Conv2d(4, 4, (3, 1)),
        nn.Conv2d(4, 4, 5),
        nn.ConvTranspose2d(4, 4, 3),
    ],
)
def test_all_others_are_pytorchs(layer: nn.Module, called: Called) -> None:
    images = normal(2, 4, 9, 9)
    layer = layer.double()
    want = layer(images)
    with Winograd():
        assert torch.equal(layer(images), want)

    assert called == []


def test_single_precision_and_images_without_a_batch_are_pytorchs(called: Called) -> None:
    layer = nn.Conv2d(3, 2, 3)
    with Winograd():
        assert layer(normal(2, 3, 6, 6).float()).dtype == torch.float32
        assert layer.double()(normal(3, 6, 6)).shape == (2, 4, 4)
    assert called == []


@pytest.mark.parametrize("shape", [(2, 4, 6, 6), (2, 3, 2, 6)])  # too many channels, and too few rows
def test_what_pytorch_refuses_is_refused(shape: tuple[int, ...]) -> None:
    layer = nn.Conv2d(3, 2, 3).double()
    with pytest.raises(RuntimeError), Winograd():
        layer(normal(*shape))
