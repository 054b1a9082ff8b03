"""repair=paths: counts stay, effective density never falls."""

import functools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pruneexp.graphs.paths import effective
from pruneexp.layers import Notes
from pruneexp.models.resnet import ResNet
from pruneexp.network.masks import Masks
from pruneexp.network.prunable import prunable
from pruneexp.network.wiring import Wiring, wiring_of
from pruneexp.treatments.repair import repair_paths
from tests.properties import PROPERTY


def chain() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 6, 2), nn.Conv2d(6, 5, 1), nn.Flatten(), nn.Linear(20, 8), nn.Linear(8, 3))


def resnet() -> nn.Module:
    return ResNet([2, 1], [4, 5], 3, 2)


NETWORKS = {"chain": chain, "resnet": resnet}


@functools.cache
def shapes(kind: str) -> dict[str, torch.Size]:
    return {name: weight.shape for name, weight in prunable(NETWORKS[kind]()).items()}


@functools.cache
def wiring_in(kind: str) -> Wiring:
    """How the network's layers join; who is given it changes nothing in it."""
    return wiring_of(NETWORKS[kind]())


def random_masks(kind: str, seed: int, density: float) -> tuple[Masks, dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    masks = {name: torch.rand(shape, generator=generator) < density for name, shape in shapes(kind).items()}
    return masks, {name: torch.rand(shape, generator=generator) for name, shape in shapes(kind).items()}


def kept(masks: Masks) -> int:
    return sum(int(mask.sum()) for mask in masks.values())


@pytest.mark.parametrize("kind", NETWORKS)
@settings(PROPERTY, max_examples=25)
@given(seed=st.integers(0, 10_000), density=st.sampled_from([0.02, 0.05, 0.1, 0.3, 0.9]))
def test_each_layer_keeps_its_count_and_the_effective_density_never_falls(kind: str, seed: int, density: float) -> None:
    masks, scores = random_masks(kind, seed, density)
    before = {name: mask.clone() for name, mask in masks.items()}
    wiring, notes = wiring_in(kind), Notes()
    got = repair_paths(masks, scores, wiring, notes)
    assert list(got) == list(masks)
    for name, mask in masks.items():
        assert got[name].dtype == torch.bool
        assert got[name].shape == mask.shape
        assert got[name].sum() == mask.sum()
        assert torch.equal(mask, before[name])
    assert kept(effective(got, wiring)) >= kept(effective(masks, wiring))
    assert notes["moved"] == sum(int((got[name] & ~masks[name]).sum()) for name in masks)
    assert notes["wasted"] == kept(got) - kept(effective(got, wiring))


@pytest.mark.parametrize("kind", NETWORKS)
def test_most_wasted_weights_find_a_path(kind: str) -> None:
    wiring, shares = wiring_in(kind), []
    for seed in range(20):
        masks, scores = random_masks(kind, seed, 0.12)
        if kept(effective(masks, wiring)) == 0:
            continue
        got = repair_paths(masks, scores, wiring, {})
        shares.append((kept(effective(masks, wiring)) / kept(masks), kept(effective(got, wiring)) / kept(got)))
    assert len(shares) >= 6
    wasted_before, wasted_after = (sum(1 - share for share in side) for side in zip(*shares, strict=True))
    assert wasted_before > 0.1 * len(shares)
    assert wasted_after < 0.5 * wasted_before


def test_a_network_without_any_path_gets_one() -> None:
    wiring = wiring_in("chain")
    for seed in range(40):
        masks, scores = random_masks("chain", seed, 0.12)
        if all(bool(mask.any()) for mask in masks.values()) and kept(effective(masks, wiring)) == 0:
            assert kept(effective(repair_paths(masks, scores, wiring, {}), wiring)) > 0


def test_masks_without_a_wasted_weight_stay_as_they_are() -> None:
    masks, scores = random_masks("chain", 0, 2.0)
    notes = Notes()
    got = repair_paths(masks, scores, wiring_in("chain"), notes)
    assert all(torch.equal(got[name], mask) for name, mask in masks.items())
    assert notes == {"moved": 0, "wasted": 0}


def test_a_wasted_weight_moves_to_the_highest_scoring_place_that_connects() -> None:
    model = nn.Sequential(nn.Linear(3, 4, bias=False), nn.Linear(4, 2, bias=False))
    masks = {"0.weight": torch.zeros(4, 3, dtype=torch.bool), "1.weight": torch.zeros(2, 4, dtype=torch.bool)}
    masks["0.weight"][0, 0] = masks["1.weight"][0, 0] = True  # the one path
    masks["0.weight"][3, 1] = True  # leads to a channel that nothing leaves
    scores = {"0.weight": torch.arange(12.0).reshape(4, 3), "1.weight": torch.ones(2, 4)}
    notes = Notes()
    got = repair_paths(masks, scores, wiring_of(model), notes)
    want = torch.zeros(4, 3, dtype=torch.bool)
    want[0, 0] = want[0, 2] = True  # into channel 0, which reaches the output: scores 1 and 2
    assert torch.equal(got["0.weight"], want)
    assert torch.equal(got["1.weight"], masks["1.weight"])
    assert notes == {"moved": 1, "wasted": 0}


def test_what_cannot_be_connected_is_reported() -> None:
    masks, scores = random_masks("chain", 0, 2.0)
    masks["1.weight"].zero_()
    notes = Notes()
    got = repair_paths(masks, scores, wiring_in("chain"), notes)
    assert not got["1.weight"].any()
    assert notes == {"moved": 0, "wasted": kept(masks)}
