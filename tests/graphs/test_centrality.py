"""Eigenvector centrality against networkx and by hand."""

import math

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pruneexp import UserError
from pruneexp.graphs.centrality import centrality, cosines, similarity_graph
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
    assert torch.allclose(centrality(graph), torch.tensor([1, 0.5, 0.5, 0.5, 0.5], dtype=torch.float64) / math.sqrt(2))


def test_neurons_without_an_edge_have_none() -> None:
    assert torch.equal(centrality(torch.zeros(3, 3, dtype=torch.float64)), torch.zeros(3, dtype=torch.float64))


def cliques(sizes: list[int], inside: list[float], bridge: float) -> torch.Tensor:
    """Complete graphs in a row, each joined to the next by one edge."""
    graph = torch.block_diag(
        *(w * (torch.ones(n, n, dtype=torch.float64) - torch.eye(n)) for n, w in zip(sizes, inside, strict=True))
    )
    for end in np.cumsum(sizes)[:-1]:
        graph[end - 1, end] = graph[end, end - 1] = bridge
    return graph


@pytest.mark.parametrize("size", [10, 200])  # LAPACK's solver and ARPACK's
def test_two_clusters_that_hardly_know_each_other_have_the_vector_of_the_heavier(size: int) -> None:
    # power iteration gains 1e-5 a step here: 10,000 steps are not enough
    graph = cliques([size, size], [1.0, 1.00001], 1e-4)
    values, vectors = np.linalg.eigh(graph.numpy())
    assert 1e-9 * values[-1] < values[-1] - values[-2] < 1e-4 * values[-1]
    found = centrality(graph)
    assert np.allclose(found, np.abs(vectors[:, -1]), atol=1e-9)
    assert float(found[size:].min()) > 5 * float(found[: size - 1].max())


@pytest.mark.parametrize("size", [10, 200])
@pytest.mark.parametrize("clusters", [2, 6])
def test_clusters_that_nothing_tells_apart_count_alike(size: int, clusters: int) -> None:
    found = centrality(cliques([size] * clusters, [1.0] * clusters, 1e-13))
    assert torch.allclose(found, torch.full_like(found, (size * clusters) ** -0.5), atol=1e-10)


def test_a_large_component_has_numpys_vector() -> None:
    graph = random_graph(400, 0.05, 1)
    want = np.abs(np.linalg.eigh(graph.numpy())[1][:, -1])
    assert np.allclose(centrality(graph), want, rtol=0, atol=1e-11)


def test_neurons_of_like_components_have_equal_centralities() -> None:
    generator = torch.Generator().manual_seed(0)
    pairs = [w * torch.tensor([[0.0, 1], [1, 0]]) for w in torch.rand(50, generator=generator, dtype=torch.float64)]
    found = centrality(torch.block_diag(*pairs))
    assert torch.equal(found, torch.full((100,), round(0.5**0.5, 12), dtype=torch.float64))  # so that ties go by index


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
