"""Metrics of two published networks: an independent construction's, and the raw output of the authors' program."""

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pruneexp.models.conv6 import Conv6
from pruneexp.models.resnet import resnet_cifar
from pruneexp.network.prunable import prunable
from pruneexp.topology.adjacency import Adjacency, placed
from pruneexp.topology.measure import Mode, measure
from pruneexp.topology.rolled import ramanujan_metrics
from pruneexp.topology.spectra import adjacency_spectrum
from pruneexp.topology.tracing import encode

FOLDER = Path(__file__).resolve().parents[1] / "conformance"
SHAPE = (3, 32, 32)
COUNTS = ["sink", "source", "disconnected", "r_out", "r_in", "components", "cut_edges", "cut_nodes"]
MEANS = ["n1", "n2", "k_core", "strength", "mean_component"]
BLOCK = {"correct": "correct", "published": "reference"}


@cache
def golden(name: str) -> dict[str, dict[str, Any]]:
    """The file's blocks: `reference` (the authors' program) and `correct`; by layer `ram_mge` (theirs) and `ram_vita` (Hoang et al.'s)."""
    found: dict[str, dict[str, Any]] = json.loads((FOLDER / "multipartite.json").read_text(encoding="utf-8"))[name]
    return found


@cache
def network(name: str) -> nn.Module:
    """The model with its golden weights: the file's layers are in the model's order, shortcuts after their block's convolutions."""
    torch.manual_seed(0)
    model: nn.Module = Conv6(10, SHAPE) if name.startswith("conv6") else resnet_cifar(10, SHAPE, 20)
    arrays = np.load(FOLDER / f"{name}.npz")
    layers = [key.removesuffix(".shape") for key in arrays if key.endswith(".shape")]
    with torch.no_grad():
        for layer, (own, weight) in zip(layers, prunable(model).items(), strict=True):
            shape = tuple(arrays[f"{layer}.shape"].tolist())
            assert shape == tuple(weight.shape)
            assert ("shortcut" in layer) == ("shortcut" in own)
            mask = np.unpackbits(arrays[f"{layer}.mask"])[: weight.numel()].astype(bool)
            values = np.zeros(weight.numel(), dtype=np.float32)
            values[mask] = arrays[f"{layer}.kept"]
            weight.copy_(torch.from_numpy(values.reshape(shape)))
    return model


@pytest.mark.parametrize("mode", ["correct", "published"])
@pytest.mark.parametrize("name", ["conv6_erk_0.98", "resnet20_erk_0.98", "resnet20_erk_0.9"])
def test_deterministic_metrics_are_the_golden_ones(name: str, mode: Mode) -> None:
    want = golden(name)[BLOCK[mode]]
    got = measure(network(name), None, SHAPE, mode, [*COUNTS, *MEANS])
    for metric in COUNTS:
        assert got[metric] == want[metric], metric
    for metric in MEANS:
        value = want["nodes"] / want["components"] if metric == "mean_component" else want[metric]
        assert got[metric] == pytest.approx(value, rel=1e-12), metric
    nodes, count = want["nodes"], want["edges"]
    assert got["n1"] == 1 + count / nodes
    assert got["sink_norm"] == want["sink"] / nodes
    assert got["n2_norm"] == pytest.approx(want["n2"] / count, rel=1e-12)
    assert got["mean_component_norm"] == pytest.approx(1 / want["components"], rel=1e-12)
    assert got["components_norm"] == want["components"]


@pytest.mark.parametrize("name", ["conv6_erk_0.98", "resnet20_erk_0.98"])
def test_size_of_the_correct_graph(name: str) -> None:
    graph = encode(network(name), SHAPE)
    assert graph.nodes == golden(name)["correct"]["nodes"]
    assert graph.edges == golden(name)["correct"]["edges"]


@pytest.mark.parametrize("mode", ["correct", "published"])
def test_spectra_of_resnet20_are_the_golden_ones(mode: Mode) -> None:
    want = golden("resnet20_erk_0.98")[BLOCK[mode]]
    got = measure(network("resnet20_erk_0.98"), None, SHAPE, mode, ["spectral_gap", "spectral_radius"])
    rel = 1e-6 if mode == "correct" else 1e-4
    assert got["spectral_gap"] == pytest.approx(want["spectral_gap"], rel=rel)
    assert got["spectral_radius"] == pytest.approx(want["spectral_radius"], rel=rel)
    assert got["spectral_gap_residual"] <= 1e-6
    assert got["spectral_radius_residual"] <= 1e-6


def test_gap_of_conv6_is_the_golden_one() -> None:
    # the clustered one: 9.17580, 9.10312, 9.10117; the radius takes three times as long and is no harder
    block = golden("conv6_erk_0.98")["correct"]
    graph = encode(network("conv6_erk_0.98"), SHAPE)
    found = adjacency_spectrum(Adjacency(placed(graph), graph.nodes))
    largest: list[float] = block["adjacency_largest"]
    assert found.values == pytest.approx(largest[:2], rel=1e-9)
    assert found.values[0] - found.values[1] == pytest.approx(block["spectral_gap"], rel=1e-6)
    assert found.residual <= 1e-6


GOLDEN = ["conv6_erk_0.98", "resnet20_erk_0.98", "resnet20_erk_0.9"]


def defined(value: float | None) -> float:
    return math.nan if value is None else value


@pytest.mark.parametrize("name", GOLDEN)
def test_normalised_imdb_of_every_layer_is_that_of_the_authors_program(name: str) -> None:
    layers = ramanujan_metrics(network(name), mode="published")
    for (layer, want), found in zip(golden(name)["ram_mge"].items(), layers.values(), strict=True):
        imsg, imdb = map(defined, want["imsg,imdb(norm)"])
        assert found["imdb"] == pytest.approx(imdb, abs=1e-14, nan_ok=True), layer
        assert found["imdb_norm"] == pytest.approx(imdb, abs=1e-14, nan_ok=True), layer
        assert found["imsg"] == pytest.approx(imsg, abs=1e-4, nan_ok=True), layer  # weights of half precision there
        assert found["difference_of_bound"] == pytest.approx(want["delta_r(norm)"], abs=1e-14), layer
        assert found["layer_density"] * prunable_size(name, layer) == pytest.approx(want["edges"])


@pytest.mark.parametrize("fewest", [1, 3])
@pytest.mark.parametrize("name", GOLDEN)
def test_both_units_of_imdb_of_every_layer_are_those_of_the_program_of_hoang_et_al(name: str, fewest: int) -> None:
    # float32 there; no degree of these masks is passed over for having fewer than three left vertices
    layers = ramanujan_metrics(network(name), fewest=fewest)
    for (layer, want), found in zip(golden(name)["ram_vita"].items(), layers.values(), strict=True):
        plain, norm = map(defined, (want["imsg"][1], want["imsg"][3]))
        assert found["imdb"] == pytest.approx(plain, abs=5e-6, nan_ok=True), layer
        assert found["imdb_norm"] == pytest.approx(norm, abs=1e-6, nan_ok=True), layer


def prunable_size(name: str, layer: str) -> int:
    arrays = np.load(FOLDER / f"{name}.npz")
    return int(np.prod(arrays[f"{layer}.shape"]))
