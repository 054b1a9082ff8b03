"""Resistances by elimination along a tree against those of the dense Laplacian, for whatever sets its vertices come in."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pruneexp.graphs import network
from pruneexp.graphs.elimination import pair_forms
from pruneexp.graphs.network import network_leverages
from pruneexp.graphs.tree import tree_resistances
from pruneexp.models.resnet import resnet_cifar
from pruneexp.network.prunable import prunable
from pruneexp.network.wiring import Wiring, wiring_of
from tests.properties import PROPERTY


def dense(ends: torch.Tensor, weight: torch.Tensor, vertices: int) -> torch.Tensor:
    coupling = torch.zeros(vertices, vertices, dtype=torch.float64)
    coupling.index_put_((ends[0], ends[1]), weight, accumulate=True)
    return pair_forms((coupling + coupling.T).fill_diagonal_(0.0))[ends[0], ends[1]]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ends, weights and sets of a connected graph, with edges twice, either way round, and from a vertex to itself."""
    sets = torch.tensor(draw(st.lists(st.integers(0, 5), min_size=1, max_size=14)))
    sets = torch.unique(sets, return_inverse=True)[1]
    count = len(sets)
    vertex = st.integers(0, count - 1)
    tree = [(draw(st.integers(0, k - 1)), k) for k in range(1, count)]
    more = draw(st.lists(st.tuples(vertex, vertex), min_size=1, max_size=30))
    powers = draw(st.lists(st.floats(-6, 0), min_size=len(tree) + len(more), max_size=len(tree) + len(more)))
    return torch.tensor([*tree, *more]).T, 10.0 ** torch.tensor(powers, dtype=torch.float64), sets


@PROPERTY
@given(graphs())
def test_any_graph_has_the_resistances_of_its_dense_laplacian(
    graph: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> None:
    ends, weight, sets = graph
    got, want = tree_resistances(ends, weight, sets), dense(ends, weight, len(sets))
    assert float(((got - want).abs() * weight).max()) < 1e-9


@pytest.fixture(scope="module")
def residual() -> tuple[dict[str, torch.Tensor], Wiring]:
    model = resnet_cifar(10, (3, 8, 8), 20)
    return prunable(model), wiring_of(model, (3, 8, 8))


@pytest.mark.parametrize("orders", [0, 12])
@pytest.mark.parametrize("skip", [False, True])
def test_a_residual_networks_leverages_are_the_same_either_way(
    skip: bool, orders: int, residual: tuple[dict[str, torch.Tensor], Wiring], monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, wiring = residual
    generator = torch.Generator().manual_seed(0)
    scores = [
        10 ** (-orders * torch.rand(weight.shape, generator=generator, dtype=torch.float64))
        for weight in weights.values()
    ]
    scores[3][:, ::2] = 0.0
    scores[4][1:] = 0.0
    joins = [(wiring.sources[name], wiring.targets[name]) for name in weights]
    units = wiring.skips if skip else []
    found = []
    for most in (10**9, 0):
        monkeypatch.setattr(network, "DENSE", most)
        found.append(network_leverages(scores, joins, wiring.vertices, units))
    assert all(torch.allclose(one, other, rtol=0, atol=1e-9) for one, other in zip(*found, strict=True))
    if not skip:
        total = sum(float(leverage.sum()) for leverage in found[1])
        assert total == pytest.approx(round(total), abs=1e-8)  # vertices less components
