"""Eigenvector centrality against networkx and by hand."""

import math
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from pruneexp import UserError
from pruneexp.graphs.centrality import EVERY, MOST_STEPS, centrality, cosines, similarity_graph
from tests.properties import PROPERTY


def random_graph(n: int, share: float, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    weights = torch.rand(n, n, generator=generator, dtype=torch.float64)
    weights = torch.triu(weights * (torch.rand(n, n, generator=generator) < share), 1)
    return weights + weights.T


@PROPERTY
@given(n=st.integers(2, 12), share=st.floats(0.2, 1.0), seed=st.integers(0, 10_000))
def test_every_component_has_networkxs_vector(n: int, share: float, seed: int) -> None:
    graph = random_graph(n, share, seed)
    got = centrality(graph).numpy()
    whole = nx.from_numpy_array(graph.numpy())
    for members in nx.connected_components(whole):
        order = sorted(members)
        if len(order) == 1:
            assert got[order[0]] == 0
            continue
        if len(order) == 2:  # too small for networkx's solver
            assert np.allclose(got[order], math.sqrt(0.5))
            continue
        want = nx.eigenvector_centrality_numpy(whole.subgraph(order), weight="weight")
        assert np.allclose(got[order], [want[k] for k in order], atol=1e-6)


def test_a_star_by_hand() -> None:
    graph = torch.zeros(5, 5, dtype=torch.float64)
    graph[0, 1:] = graph[1:, 0] = 1
    # bipartite: without a shift power iteration would go to and fro
    assert torch.allclose(centrality(graph), torch.tensor([1, 0.5, 0.5, 0.5, 0.5], dtype=torch.float64) / math.sqrt(2))


def test_neurons_without_an_edge_have_none() -> None:
    assert torch.equal(centrality(torch.zeros(3, 3, dtype=torch.float64)), torch.zeros(3, dtype=torch.float64))


class Reads(TorchDispatchMode):
    """Counts the numbers that are read out of tensors, and the power iteration's products."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers, self.products = 0, 0

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.numbers += "_local_scalar_dense" in str(operator)
        self.products += "aten.mv" in str(operator)
        return operator(*args, **(kwargs or {}))


@pytest.mark.parametrize("seed", range(5))
def test_a_gpu_is_rarely_asked_and_comes_to_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = random_graph(40, 0.06, seed)
    with Reads() as each:
        exact = centrality(graph)
    monkeypatch.setitem(EVERY, "cpu", EVERY["cuda"])
    with Reads() as few:
        found = centrality(graph)
    assert torch.allclose(found, exact, rtol=0, atol=1e-7)
    assert each.numbers == each.products > 25
    assert few.products % 25 == 0
    assert few.numbers == few.products // 25
    assert each.products <= few.products < each.products + 25


def test_the_last_of_all_steps_is_looked_at() -> None:
    assert all(MOST_STEPS % every == 0 for every in EVERY.values())


def test_the_similarity_is_the_cosine_above_tau() -> None:
    rows = torch.tensor([[1.0, 0.0], [2.0, 0.0], [1.0, 1.0], [-1.0, 0.0], [0.0, 0.0]])
    graph = similarity_graph(cosines(rows), 0.5)
    want = torch.zeros(5, 5, dtype=torch.float64)
    want[0, 1] = want[1, 0] = 1
    want[0, 2] = want[2, 0] = want[1, 2] = want[2, 1] = math.sqrt(0.5)
    assert torch.allclose(graph, want)
    filters = torch.randn(6, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(cosines(filters), cosines(filters.flatten(1)))


@pytest.mark.parametrize("tau", [-0.1, 1, 1.5, math.nan, "high", True])
def test_a_threshold_outside_its_range_is_refused(tau: float) -> None:
    with pytest.raises(UserError, match=r"tau must be at least 0 and below 1"):
        similarity_graph(torch.eye(3), tau)
