"""Attention as a graph, counted edge by edge."""

import itertools

import networkx as nx
import numpy as np
import torch

from pruneexp.models.vit import VisionTransformer, attend
from pruneexp.network.initialise import initialise
from pruneexp.seeding import stream
from pruneexp.topology import encode, measure, to_networkx

WIDTH, HEADS, SIDE = 4, 2, 2


def network() -> VisionTransformer:
    model = VisionTransformer(3, (1, 4, 4), patch=2, width=WIDTH, depth=1, heads=HEADS)
    initialise(model, "kaiming_normal", stream(0, "initialisation"))
    return model


def test_attention_is_the_mean_of_values_by_softmax() -> None:
    query, key, value = (torch.randn(2, WIDTH, SIDE, SIDE, dtype=torch.float64) for _ in range(3))
    got = attend(query, key, value, HEADS)
    size = WIDTH // HEADS
    for n, head in itertools.product(range(2), range(HEADS)):
        q, k, v = (part[n, head * size : (head + 1) * size].reshape(size, -1).numpy() for part in (query, key, value))
        scores = np.exp(q.T @ k / np.sqrt(size))
        want = (scores / scores.sum(axis=1, keepdims=True)) @ v.T
        assert np.allclose(got[n, head * size : (head + 1) * size].reshape(size, -1).numpy(), want.T)


def test_an_output_depends_on_just_the_inputs_that_its_edges_come_from() -> None:
    model = network()
    graph = encode(model, (1, 4, 4))
    links = {
        link.name.split()[0]: link for link in graph.links if " " in link.name and not link.name.startswith("skip")
    }
    edges = set(to_networkx(graph).edges())
    maps = [torch.randn(1, WIDTH, SIDE, SIDE, dtype=torch.float64).requires_grad_() for _ in range(3)]
    for out in itertools.product(range(WIDTH), range(SIDE), range(SIDE)):
        (c, y, x) = out
        gradients = torch.autograd.grad(attend(*maps, HEADS)[0, c, y, x], maps)  # type: ignore[arg-type, call-arg]
        for name, gradient in zip(("query", "key", "value"), gradients, strict=True):
            link = links[name]
            target = int(graph.offsets[link.target]) + (c * SIDE + y) * SIDE + x
            reached = {
                (int(graph.offsets[link.source]) + k, target)
                for k in np.flatnonzero(gradient[0].abs().numpy().ravel() > 1e-14)
            }
            assert reached == {
                (u, v) for u, v in edges if v == target and u in range(*graph.offsets[link.source : link.source + 2])
            }


def test_the_metrics_are_those_of_the_explicit_graph() -> None:
    model = network()
    made = nx.DiGraph(to_networkx(encode(model, (1, 4, 4))))  # it has no parallel edges
    got = measure(model, None, (1, 4, 4))
    assert got["n1"] == 1 + made.number_of_edges() / made.number_of_nodes()
    assert got["components"] == nx.number_weakly_connected_components(made)
    assert got["k_core"] == np.mean(list(nx.core_number(made.to_undirected()).values()))
    assert got["cut_edges"] == len(list(nx.bridges(made.to_undirected())))
