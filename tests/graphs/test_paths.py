"""Input-output paths against their enumeration, one path after another."""

import functools
import itertools

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pruneexp.graphs.paths import effective, reach
from pruneexp.models.resnet import ResNet
from pruneexp.network.masks import Masks
from pruneexp.network.prunable import prunable
from pruneexp.network.wiring import Wiring, wiring_of
from tests.properties import PROPERTY

Node = tuple[str, int]


def chain() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 3, 3),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Conv2d(3, 2, 2),
        nn.Flatten(),
        nn.Linear(8, 2),
        nn.Linear(2, 2),
    )


def resnet() -> nn.Module:
    """A stem, a block around an identity, a block around a convolution, one linear layer."""
    return ResNet([2, 1], [2, 3], 2, 2)


# (layer, stage that it comes from, stage that it goes to), and stages joined channel by channel; inputs for each channel
CHAIN = ([("0", "in", "a"), ("3", "a", "b"), ("5", "b", "c"), ("6", "c", "out")], list[tuple[str, str]]())
RESNET = (
    [
        ("conv", "in", "s"),
        ("blocks.0.conv1", "s", "m0"),
        ("blocks.0.conv2", "m0", "e0"),
        ("blocks.1.conv1", "e0", "m1"),
        ("blocks.1.conv2", "m1", "e1"),
        ("blocks.2.conv1", "e1", "m2"),
        ("blocks.2.conv2", "m2", "e2"),
        ("blocks.2.shortcut.0", "e1", "e2"),
        ("fc", "e2", "out"),
    ],
    [("s", "e0"), ("e0", "e1")],
)
NETWORKS = {"chain": (chain, *CHAIN), "resnet": (resnet, *RESNET)}
WIDTHS = {"chain": {"in": 2, "a": 3, "b": 2, "c": 2, "out": 2}, "resnet": {"s": 2, "e0": 2, "e1": 2, "in": 2, "out": 2}}


@functools.cache
def wiring(kind: str) -> Wiring:
    """Of one of them, traced once."""
    return wiring_of(NETWORKS[kind][0]())


def random_masks(kind: str, seed: int, density: float) -> Masks:
    generator = torch.Generator().manual_seed(seed)
    weights = prunable(NETWORKS[kind][0]())
    return {name: torch.rand(weight.shape, generator=generator) < density for name, weight in weights.items()}


def enumerated(kind: str, masks: Masks) -> Masks:
    """The kept weights that lie on a path, found by listing every path of channels from input to output."""
    _, layers, joins = NETWORKS[kind]
    width, graph = WIDTHS[kind], nx.DiGraph()
    for name, source, target in layers:
        mask = masks[f"{name}.weight"]
        inputs = mask.shape[1] // (mask.shape[1] // width[source]) if source in width else mask.shape[1]
        for o, i in itertools.product(range(mask.shape[0]), range(mask.shape[1])):
            if mask[o, i].any():
                graph.add_edge((source, i // (mask.shape[1] // inputs)), (target, o))
    for early, late in joins:
        graph.add_edges_from(((early, k), (late, k)) for k in range(width[early]))
    ends = [[(stage, k) for k in range(width[stage])] for stage in ("in", "out")]
    graph.add_nodes_from(ends[0] + ends[1])
    used: set[tuple[Node, Node]] = set()
    for start in ends[0]:
        for path in nx.all_simple_paths(graph, start, ends[1]):
            used |= set(itertools.pairwise(path))
    result = {}
    for name, source, target in layers:
        mask = masks[f"{name}.weight"]
        kept = torch.zeros_like(mask)
        share = mask.shape[1] // width[source] if source in width else 1
        for o, i in itertools.product(range(mask.shape[0]), range(mask.shape[1])):
            if ((source, i // share), (target, o)) in used:
                kept[o, i] = mask[o, i]
        result[f"{name}.weight"] = kept
    return result


@pytest.mark.parametrize("kind", NETWORKS)
@settings(PROPERTY, max_examples=30)
@given(seed=st.integers(0, 10_000), density=st.sampled_from([0.05, 0.1, 0.2, 0.4]))
def test_a_weight_counts_if_a_path_goes_through_it(kind: str, seed: int, density: float) -> None:
    masks = random_masks(kind, seed, density)
    before = {name: mask.clone() for name, mask in masks.items()}
    got = effective(masks, wiring(kind))
    want = enumerated(kind, masks)
    assert list(got) == list(masks)
    assert all(torch.equal(got[name], want[name]) for name in masks)
    assert all(torch.equal(masks[name], before[name]) for name in masks)


def test_the_enumeration_meets_networks_with_and_without_paths() -> None:
    for kind in NETWORKS:
        sums = [
            sum(int(mask.sum()) for mask in enumerated(kind, random_masks(kind, seed, 0.1)).values())
            for seed in range(30)
        ]
        assert min(sums) == 0 < max(sums)


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_weight_of_the_whole_network_counts(kind: str) -> None:
    masks = random_masks(kind, 0, 2.0)
    assert all(bool(mask.all()) for mask in effective(masks, wiring(kind)).values())
    forward, backward = reach(masks, wiring(kind))
    assert forward.all()
    assert backward.all()


def test_an_empty_layer_leaves_nothing_on_a_path() -> None:
    masks = random_masks("chain", 0, 2.0)
    masks["3.weight"].zero_()
    assert not any(bool(mask.any()) for mask in effective(masks, wiring("chain")).values())
    forward, backward = reach(masks, wiring("chain"))
    assert int(forward.sum()) == 2 + 3  # input and first layer; ends that no kept weight leads to are not reached
    assert int(backward.sum()) == 2 + 2 + 2


def test_an_identity_skip_carries_what_its_block_has_lost() -> None:
    masks = random_masks("resnet", 0, 2.0)
    masks["blocks.0.conv2.weight"].zero_()
    got = effective(masks, wiring("resnet"))
    assert not got["blocks.0.conv1.weight"].any()
    assert all(bool(mask.all()) for name, mask in got.items() if not name.startswith("blocks.0"))
    # around a convolution there is no such way
    masks["blocks.2.shortcut.0.weight"].zero_()
    masks["blocks.2.conv1.weight"].zero_()
    assert not any(bool(mask.any()) for mask in effective(masks, wiring("resnet")).values())
