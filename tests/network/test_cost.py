"""Multiply-accumulates by hand where a network does with its weights what is not a layer after another."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from pruneexp.errors import UserError
from pruneexp.network.cost import LARGEST, counted, multiply_accumulates
from pruneexp.network.structure import Structure
from pruneexp.sweep import named
from tests.network.test_wiring import Of


def in_halves(net: Any, x: torch.Tensor) -> torch.Tensor:
    """Written half by half into what is a constant before."""
    made = torch.zeros(x.shape[0], 4)
    made[:, :2], made[:, 2:] = net.a(x), net.b(x)
    return net.c(made)


@pytest.mark.parametrize(
    ("net", "shape", "want"),
    [
        (Of(in_halves, a=nn.Linear(3, 2), b=nn.Linear(3, 2), c=nn.Linear(4, 5)), (3,), {"a": 6, "b": 6, "c": 20}),
        (Of(lambda net, x: net.a(net.a(x)), a=nn.Linear(3, 3), idle=nn.Linear(2, 2)), (7, 3), {"a": 2 * 7 * 9, "idle": 0}),
        (Of(lambda net, x: net.a(x) + net.b(torch.ones(4, 2)).sum(), a=nn.Linear(3, 1), b=nn.Linear(2, 5)), (3,), {"a": 3, "b": 40}),
        (Of(lambda net, x: x @ net.a.weight.t() * net.a.weight.norm(), a=nn.Linear(3, 2)), (3,), {"a": 6}),
        (nn.Sequential(nn.ConvTranspose2d(2, 4, 3, groups=2)), (2, 5, 5), {"0": 25 * 36}),
        (nn.Sequential(nn.Conv2d(2, 4, 3, groups=2)), (2, 5, 5), {"0": 9 * 36}),
        (nn.Sequential(nn.Embedding(9, 2), nn.Linear(2, 3)), (4,), {"0": 0, "1": 24}),
    ],
)  # fmt: skip
def test_counts_by_hand(net: nn.Module, shape: tuple[int, ...], want: dict[str, int]) -> None:
    assert multiply_accumulates(net, shape) == {f"{name}.weight": count for name, count in want.items()}


def test_what_is_no_product_is_refused_and_counts_as_unknown() -> None:
    net = Of(lambda net, x: functional.bilinear(x, x, net.a.weight[None]), a=nn.Linear(3, 3))
    with pytest.raises(UserError, match=r"^multiply-accumulates have no meaning for bilinear\.$"):
        multiply_accumulates(net, (3,))
    assert Structure(net, (3,)).macs is None


def bare(model: str, classes: int, shape: tuple[int, ...]) -> nn.Module:
    with torch.device("meta"):
        network: nn.Module = named("model", model).make(num_classes=classes, input_shape=shape)
    return network


@pytest.mark.parametrize(
    "model", ["vgg_small", "resnet20", "wrn28_2", "vit_small", "conv6", "torchvision_efficientnet_b0"]
)
def test_a_run_counts_what_the_trace_counts(model: str) -> None:
    net, before = bare(model, 10, (3, 32, 32)), torch.random.get_rng_state()
    found = counted(net, (3, 32, 32))
    assert found is not None
    assert found == multiply_accumulates(net, (3, 32, 32))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert net.training
    assert all(one.device.type == "meta" for one in (*net.parameters(), *net.buffers()))


def tied() -> nn.Module:
    net = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))
    net[2].weight = net[0].weight
    return net


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: Of(lambda net, x: x @ net.a.weight.t(), a=nn.Linear(3, 2)), (3,)),
        (lambda: Of(lambda net, x: net.a(x) * net.a.weight.norm(), a=nn.Linear(3, 2)), (3,)),
        (lambda: Of(lambda net, x: functional.linear(net.a.weight, net.a.weight), a=nn.Linear(3, 3)), (3,)),
        (lambda: Of(lambda net, x: net.a(x), a=nn.Linear(3, 3), idle=nn.Linear(2, 2)), (3,)),
        (lambda: Of(lambda net, x: net.a(x) if x.sum() > 0 else x, a=nn.Linear(3, 3)), (3,)),
        (lambda: nn.Sequential(nn.ConvTranspose2d(2, 4, 3)), (2, 5, 5)),
        (lambda: nn.Sequential(nn.Embedding(9, 2), nn.Linear(2, 3), nn.Linear(4, 4)), (4,)),
        (lambda: nn.Sequential(nn.Linear(3, 2)), (4,)),
        (lambda: nn.Sequential(nn.Linear(LARGEST, 1, bias=False), nn.Linear(1, 1)), (LARGEST,)),
        (tied, (3,)),
    ],
    ids=["product", "norm", "two", "idle", "by value", "transposed", "embedding", "other shape", "large", "tied"],
)
def test_what_a_run_cannot_tell_is_left_to_the_trace(make: Callable[[], nn.Module], shape: tuple[int, ...]) -> None:
    with torch.device("meta"):
        net = make()
    assert counted(net, shape) is None
