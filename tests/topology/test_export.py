"""Graphs written and read back: every edge, every weight."""

from collections.abc import Callable
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from torch import nn

from pruneexp import UserError, topology
from pruneexp.network.prunable import prunable
from pruneexp.topology import encode, rolled, rolled_channel, save_graph, to_csr, to_igraph, to_networkx, unrolled

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "plain": lambda: nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(108, 4)),
    "overlapping pool": lambda: nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1), nn.MaxPool2d(3, 2, 1), nn.Flatten(), nn.Linear(27, 4)
    ),
}
SHAPE = (2, 6, 6)


@pytest.fixture(params=sorted(NETWORKS))
def model(request: pytest.FixtureRequest) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return NETWORKS[request.param]()


def test_every_format_has_every_edge_and_the_same_total_weight(model: nn.Module, tmp_path: Path) -> None:
    graph = encode(model, SHAPE)
    total = sum(link.total for link in graph.links)
    for name in ("g.csv", "g.npz", "g.graphml"):
        save_graph(graph, tmp_path / name)
    table = pd.read_csv(tmp_path / "g.csv")
    assert len(table) == graph.edges
    assert table["weight"].sum() == pytest.approx(total)
    matrix = sp.load_npz(tmp_path / "g.npz")
    assert matrix.shape == (graph.nodes, graph.nodes)
    assert matrix.sum() == pytest.approx(total)
    read = nx.read_graphml(tmp_path / "g.graphml", force_multigraph=True)
    assert (read.number_of_nodes(), read.number_of_edges()) == (graph.nodes, graph.edges)
    assert read.size("weight") == pytest.approx(total)
    assert (to_csr(graph) != matrix).nnz == 0


def test_networkx_and_igraph_know_weights_and_partitions(model: nn.Module) -> None:
    graph = encode(model, SHAPE)
    ours, theirs = to_networkx(graph), to_igraph(graph)
    assert ours.number_of_edges() == theirs.ecount() == graph.edges
    assert sum(theirs.es["weight"]) == pytest.approx(ours.size("weight"))
    assert theirs.vs["partition"] == [ours.nodes[k]["partition"] for k in range(graph.nodes)]
    assert theirs.is_directed()


def test_layers_can_be_written_too(model: nn.Module, tmp_path: Path) -> None:
    layers = unrolled(model, SHAPE)
    assert list(layers) == list(prunable(model))
    assert sum(layer.edges for layer in layers.values()) == encode(model, SHAPE).edges
    weight = model[0].get_parameter("weight")  # type: ignore[index]
    for matrix in (rolled(weight), rolled_channel(weight)):
        save_graph(matrix, tmp_path / "layer.npz")
        read = sp.load_npz(tmp_path / "layer.npz")
        left = matrix.shape[0]
        assert np.allclose(read[:left, left:].toarray(), matrix.toarray())
        assert read.nnz == matrix.nnz


def test_mistakes_are_one_sentence(model: nn.Module, tmp_path: Path) -> None:
    graph = encode(model, SHAPE)
    with pytest.raises(UserError, match=r"a graph is written as \.csv, \.npz, \.graphml, got g\.txt"):
        save_graph(graph, tmp_path / "g.txt")
    with pytest.raises(UserError, match="cannot be written"):
        save_graph(graph, tmp_path / "none" / "g.csv")
    with pytest.raises(UserError, match="mode must be correct or published"):
        topology.ramanujan_metrics(model, mode="publishd")  # type: ignore[arg-type]
    with torch.no_grad():
        model[0].get_parameter("weight")[0, 0, 0, 0] = float("nan")  # type: ignore[index]
    with pytest.raises(UserError, match="are not finite"):
        encode(model, SHAPE)
