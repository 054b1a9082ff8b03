"""SynFlow in many rounds on deep networks: no cut of the network is left without weights, and the flow needs float64."""

import functools

import pytest
import torch
from torch import nn

from pruneexp.data.batches import Batches
from pruneexp.maskers.greedy import greedy
from pruneexp.measuring.layers import effective_density
from pruneexp.models.resnet import resnet_cifar
from pruneexp.models.vgg import vgg
from pruneexp.network.initialise import initialise
from pruneexp.network.masks import Masks
from pruneexp.network.prunable import prunable
from pruneexp.network.wiring import wiring_of
from pruneexp.pruning.method import Method
from pruneexp.pruning.rounds import in_rounds
from pruneexp.scorers.synflow import synflow
from pruneexp.seeding import stream
from tests.helpers import target_of

BATCHES = Batches(input_shape=(3, 32, 32))


def made(model: nn.Module) -> nn.Module:
    initialise(model, "kaiming_normal", stream(0, "initialisation"))
    return model


def pruned(model: nn.Module, density: float, rounds: int) -> Masks:
    method = Method(synflow, functools.partial(greedy, scope="global"), rounds=rounds)
    return in_rounds(method, target_of(model), density, 0, BATCHES).masks


def empty(masks: Masks) -> set[str]:
    return {name for name, mask in masks.items() if not mask.any()}


def test_a_hundred_rounds_at_a_thousandth_leave_no_cut_of_resnet32_empty() -> None:
    model = made(resnet_cifar(10, (3, 32, 32), 32))
    masks = pruned(model, 0.001, 100)
    assert sum(int(mask.sum()) for mask in masks.values()) == 464
    without = empty(masks)
    # conservation holds for cuts: beside a shortcut a block may go whole, and beside a block its shortcut
    assert not without & {"conv.weight", "fc.weight"}
    for block in range(15):
        convolutions = {f"blocks.{block}.conv{k}.weight" for k in (1, 2)}
        assert without & convolutions in (set(), convolutions)
        if block in (5, 10):
            assert not {f"blocks.{block}.shortcut.0.weight"} | convolutions <= without
    # whatever is left, most of it is on a path
    assert effective_density(masks, wiring_of(model)) == pytest.approx(464 / 464_432, rel=0.1)


def test_one_round_empties_cuts_of_resnet32() -> None:
    without = empty(pruned(made(resnet_cifar(10, (3, 32, 32), 32)), 0.001, 1))
    assert any(without & {f"blocks.{k}.conv1.weight", f"blocks.{k}.conv2.weight"} for k in range(15))
    assert "fc.weight" in without or any(f"blocks.{k}.shortcut.0.weight" in without for k in (5, 10))


def test_at_a_thousandth_no_layer_of_vgg16_is_left_empty() -> None:
    # 5 of the 100 rounds, for time: each takes a second; 1 and 3 leave most layers empty
    masks = pruned(made(vgg(10, (3, 32, 32), 16)), 0.001, 5)
    assert len(masks) == 14
    assert empty(masks) == set()
    assert min(int(mask.sum()) for mask in masks.values()) > 100


def test_the_flow_of_resnet32_overflows_float32_and_not_float64() -> None:
    model = made(resnet_cifar(10, (3, 32, 32), 32)).eval()
    got = synflow(model, BATCHES, torch.Generator())
    assert list(got) == list(prunable(model))
    whole = float(got["fc.weight"].sum())
    assert whole > torch.finfo(torch.float32).max
    assert float(got["conv.weight"].sum()) == pytest.approx(whole, rel=1e-10)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()
        ones = torch.ones(1, 3, 32, 32)
        assert torch.isinf(model(ones).sum())
        assert float(model.double()(ones.double()).sum()) == pytest.approx(whole, rel=1e-10)
