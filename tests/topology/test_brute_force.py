"""Graphs and metrics of small networks against an explicit construction, edge by edge, and graph functions against networkx."""

import itertools
import random
from collections.abc import Callable

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from pruneexp.models.resnet import BasicBlock, ResNet
from pruneexp.models.wide_resnet import PreActivationBlock
from pruneexp.network.masks import apply_masks
from pruneexp.network.prunable import prunable
from pruneexp.network.torch_prune import to_torch_prune
from pruneexp.topology import motifs, spectra
from pruneexp.topology.adjacency import Adjacency, placed
from pruneexp.topology.connectivity import components, core_numbers, cuts
from pruneexp.topology.convolution import Convolutions
from pruneexp.topology.edges import Csr, by_position, directed, listed, undirected
from pruneexp.topology.encoding import Graph
from pruneexp.topology.measure import METRICS, measure
from pruneexp.topology.motifs import motif4
from pruneexp.topology.spectra import adjacency_spectrum, laplacian_spectrum, magnitude_spectrum
from pruneexp.topology.strips import Strips
from pruneexp.topology.tracing import encode
from pruneexp.topology.two_hops import two_hops, two_hops_by_edges
from tests.properties import PROPERTY
from tests.topology.brute_force import (
    Mean,
    PreActivation,
    Residual,
    connected_subgraphs,
    impulses,
    metrics,
    parallel,
    unrolled,
)
from tests.topology.networks import NETWORKS, PARALLEL, build, chain, random_masks, same

DENSITIES = {0.12: 1, 0.35: 2, 0.6: 3}  # and the seed of weights and masks
SPECTRAL = ["spectral_gap", "spectral_radius"]
SKIPPING = ["residual", "pre-activation", "residual mlp", "nested residuals from the input", "pooled skip"]


def assert_metrics(got: dict[str, float], want: dict[str, float]) -> None:
    for name, value in want.items():
        whole = name in METRICS and float(value).is_integer() and "spectral" not in name
        if whole and name not in ("n1", "n2", "k_core", "strength", "mean_component"):
            assert got[name] == value, name
        else:
            # a gap is a difference: its accuracy is that of the eigenvalues
            rel, least = (1e-8, 1e-8) if "spectral" in name else (1e-9, 0.0)
            assert got[name] == pytest.approx(value, rel=rel, abs=least), name


def edges(graph: nx.MultiDiGraph) -> tuple[int, list[tuple[int, int, float]]]:
    """The number of nodes, and (source, target, weight) in order, nodes numbered partition by partition."""
    number = {node: k for k, node in enumerate(sorted(graph))}
    return len(number), sorted((number[u], number[v], w) for u, v, w in graph.edges(data="weight"))


def assert_edges(graph: Graph, want: nx.MultiDiGraph) -> None:
    nodes, rows = edges(want)
    assert graph.nodes == nodes
    assert graph.edges == len(rows)
    assert sorted(zip(*(column.tolist() for column in listed(graph)), strict=True)) == rows
    forward = directed(graph)
    pairs = [(u, int(v)) for u, (a, b) in enumerate(itertools.pairwise(forward.start)) for v in forward.neighbours[a:b]]
    number = by_position(graph)
    assert sorted(number) == list(range(nodes))
    assert pairs == sorted((number[u], number[v]) for u, v, _ in rows)


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_metric_of_every_kind_of_network(name: str, density: float) -> None:
    model, shape = build(name, DENSITIES[density])
    masks = random_masks(model, density, DENSITIES[density])
    graph, first, last = unrolled(model, shape, masks)
    assert parallel(graph) == 0
    got = measure(model, masks, shape)
    want = metrics(graph, first, last)
    assert {name for name in got if not name.endswith(("residual", "error"))} == set(want)
    assert_metrics(got, want)
    assert_edges(encode(model, shape, masks), graph)


@pytest.mark.parametrize("name", PARALLEL)
def test_metrics_of_networks_with_parallel_edges(name: str) -> None:
    model, shape = build(name, 1)
    masks = random_masks(model, 0.5, 1)
    graph, first, last = unrolled(model, shape, masks)
    assert parallel(graph) > 0
    # a core number counts edges or neighbours, n1 edges or nodes: not told apart by their definitions
    unclear = {"n1", "k_core", "motif4"}
    want = {
        key: value for key, value in metrics(graph, first, last).items() if key.removesuffix("_norm") not in unclear
    }
    assert_metrics(measure(model, masks, shape, metrics=[key for key in METRICS if key not in unclear]), want)
    assert_edges(encode(model, shape, masks), graph)


@pytest.mark.parametrize("name", PARALLEL)
def test_motif4_of_networks_with_parallel_edges(name: str) -> None:
    model, shape = build(name, 1)
    graph, *_ = unrolled(model, shape)
    got = measure(model, None, shape, metrics=["motif4"])["motif4"]
    assert got == connected_subgraphs(nx.Graph(graph), 4)


@pytest.mark.parametrize("name", NETWORKS)
def test_masks_by_name_are_as_good_as_zeros(name: str) -> None:
    model, shape = build(name, 5)
    masks = random_masks(model, 0.3, 5)
    want = measure(model, masks, shape)
    some = dict(list(masks.items())[::2])
    rest = {key: mask for key, mask in masks.items() if key not in some}
    apply_masks(model, some)
    assert measure(model, rest, shape) == want
    assert measure(model, {key: mask.float() for key, mask in rest.items()}, shape) == want
    apply_masks(model, rest)
    assert measure(model, None, shape) == measure(model, {}, shape) == measure(model, masks, shape) == want


def test_masks_put_on_by_torch_are_zeros() -> None:
    model, shape = build("shortcut", 5)
    masks = random_masks(model, 0.3, 5)
    want = measure(model, masks, shape)
    to_torch_prune(model, masks)
    assert measure(model, None, shape) == want


@pytest.mark.parametrize("name", SKIPPING)
def test_without_identity_skips(name: str) -> None:
    model, shape = build(name, 2)
    masks = random_masks(model, 0.5, 2)
    graph, *_ = unrolled(model, shape, masks, skips=False)
    assert graph.number_of_edges() < unrolled(model, shape, masks)[0].number_of_edges()
    assert_edges(encode(model, shape, masks, skips=False), graph)


def test_the_sparse_networks_meet_every_case() -> None:
    found: dict[str, float] = dict.fromkeys(METRICS, 0.0)
    for name in NETWORKS:
        model, shape = build(name, 1)
        for key, value in measure(model, random_masks(model, 0.12, 1), shape, metrics=METRICS).items():
            if key in found:
                found[key] += value > 0
    assert all(found[key] >= 5 for key in METRICS)
    assert found["sink"] >= 15
    assert found["source"] >= 15
    assert found["disconnected"] >= 15


def test_an_impulse_shows_the_kernel_entry_of_each_output_position() -> None:
    layer = nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2)
    size = (4, 5, 4)
    answers = impulses(layer, layer.weight.detach().double().abs(), size)
    want = torch.zeros_like(answers).reshape(4, 5, 4, *answers.shape[1:])
    for o, y, x in np.ndindex(*answers.shape[1:]):
        for c, i, j in np.ndindex(2, 3, 2):
            y0, x0 = 2 * y + i - 1, x + 2 * j - 2
            if 0 <= y0 < 5 and 0 <= x0 < 4:
                want[o // 3 * 2 + c, y0, x0, o, y, x] = layer.weight[o, c, i, j].abs().double()
    assert torch.equal(answers.reshape(want.shape), want)
    assert_edges(encode(layer_alone := chain(layer), size), unrolled(layer_alone, size)[0])


def spelled(model: nn.Module) -> nn.Module:
    """The same chain, everything that has no weights written as functions and methods."""

    class Spelled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c, self.d = (m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear)))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = functional.max_pool2d(functional.relu(self.a(x)), 2, padding=1)
            x = functional.avg_pool2d(torch.tanh(self.b(x)), kernel_size=(1, 2), stride=1)
            x = functional.adaptive_avg_pool2d(functional.gelu(self.c(x)).contiguous(), (3, 1))
            return self.d(torch.flatten(functional.dropout(x, 0.5, self.training), 1))

    return Spelled()


def test_functions_are_as_good_as_modules() -> None:
    model = chain(
        same(1, 2), nn.ReLU(), nn.MaxPool2d(2, padding=1), same(2), nn.Tanh(), nn.AvgPool2d((1, 2), stride=1), same(2, 3),
        nn.GELU(), nn.AdaptiveAvgPool2d((3, 1)), nn.Flatten(), nn.Dropout(), nn.Linear(9, 2),
    )  # fmt: skip
    assert_edges(encode(model, (1, 4, 4)), unrolled(model, (1, 4, 4))[0])
    assert measure(spelled(model), None, (1, 4, 4)) == measure(model, None, (1, 4, 4))


def rebuilt(part: nn.Module) -> list[nn.Module]:
    """A block of the package as a chain that the explicit construction understands, of the same layers."""
    if isinstance(part, BasicBlock):
        main = chain(part.conv1, part.bn1, nn.ReLU(), part.conv2, part.bn2)
        return [Residual(main, part.shortcut), nn.ReLU()]
    if isinstance(part, PreActivationBlock):
        main = chain(part.conv1, part.bn2, nn.ReLU(), part.conv2)
        block = PreActivation(part.bn1.num_features, main, part.shortcut if part.projects else None)
        return [block]
    return [part]


@pytest.mark.parametrize("large_stem", [False, True])
def test_residual_networks_of_the_package(large_stem: bool) -> None:
    torch.manual_seed(0)
    model = ResNet([2, 1], [2, 3], 2, 1, large_stem=large_stem)
    apply_masks(model, random_masks(model, 0.4, 0))
    blocks = [again for part in model.blocks for again in rebuilt(part)]
    twin = chain(model.conv, model.bn, nn.ReLU(), model.pool, *blocks, Mean(), model.fc)
    shape = (1, 9, 9) if large_stem else (1, 4, 4)
    graph, first, last = unrolled(twin, shape)
    assert_edges(encode(model, shape), graph)
    assert (parallel(graph) > 0) == large_stem
    if not large_stem:
        assert_metrics(measure(model, None, shape), metrics(graph, first, last))


def test_pre_activation_blocks_of_the_package() -> None:
    torch.manual_seed(0)
    parts = [same(1, 2), PreActivationBlock(2, 3, 1), PreActivationBlock(3, 3, 1), PreActivationBlock(3, 4, 2)]
    model = chain(*parts, nn.BatchNorm2d(4), nn.ReLU(), Mean(), nn.Linear(4, 2))
    apply_masks(model, random_masks(model, 0.25, 0))
    twin = chain(*[again for part in model.children() for again in rebuilt(part)])
    graph, first, last = unrolled(twin, (1, 4, 4))
    assert_edges(encode(model, (1, 4, 4)), graph)
    assert_metrics(measure(model, None, (1, 4, 4)), metrics(graph, first, last))


def shortcut_block(shortcut_first: bool, *tail: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    main = chain(same(2, 3), nn.ReLU(), same(3), nn.ReLU(), same(3))
    return chain(same(1, 2), Residual(main, nn.Conv2d(2, 3, 1), shortcut_first=shortcut_first), *tail)


def test_a_shortcut_convolution_may_come_before_the_layers_it_skips() -> None:
    tail = [nn.Flatten(), nn.Linear(27, 2)]
    model, twin = shortcut_block(True, *tail), shortcut_block(False, *tail)
    masks = random_masks(model, 0.2, 1)
    assert_metrics(measure(model, masks, (1, 3, 3)), metrics(*unrolled(twin, (1, 3, 3), masks)))


def test_a_shortcut_convolution_may_come_first_at_the_end_of_a_network() -> None:
    model, twin = shortcut_block(True), shortcut_block(False)
    masks = random_masks(model, 0.2, 1)
    assert_metrics(measure(model, masks, (1, 3, 3)), metrics(*unrolled(twin, (1, 3, 3), masks)))


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "mlp"])
def test_lanczos_finds_what_the_dense_solver_finds(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, shape = build(name, 3)
    masks = random_masks(model, 0.6, 3)
    graph, *_ = unrolled(model, shape, masks)
    values = np.linalg.eigvalsh((a := nx.to_numpy_array(graph)) + a.T)[::-1]
    laplacian = np.linalg.eigvalsh(np.diag(a.sum(axis=0) + a.sum(axis=1)) - a - a.T)[-1]
    monkeypatch.setattr(spectra, "DENSE", 0)
    got = measure(model, masks, shape, metrics=SPECTRAL)
    assert got["spectral_gap"] == pytest.approx(values[0] - values[1], rel=1e-8, abs=1e-8)
    assert got["spectral_radius"] == pytest.approx(laplacian, rel=1e-8)
    assert max(got["spectral_gap_residual"], got["spectral_radius_residual"]) < 1e-6


def test_spectra_beyond_the_dense_solver() -> None:
    torch.manual_seed(0)
    model = chain(same(2, 3), Residual(chain(same(3), nn.ReLU(), same(3))), same(3, 4, 2), Mean(), nn.Linear(4, 5))
    masks = random_masks(model, 0.4, 0)
    graph = encode(model, (2, 9, 9), masks)
    assert graph.nodes > spectra.DENSE
    matrix = explicit(graph)
    values = np.linalg.eigvalsh(matrix)
    degree = matrix.sum(axis=1)
    by_size = values[np.argsort(-abs(values))]
    largest = np.linalg.eigvalsh(np.diag(degree) - matrix)[-1]
    for device in ("cpu", "cpu:0"):  # by strips, and by dense products as on a GPU
        products = Adjacency(placed(graph), graph.nodes, device)
        assert products.sides is None
        assert adjacency_spectrum(products).values == pytest.approx(values[:-3:-1], rel=1e-8)
        assert magnitude_spectrum(products).values == pytest.approx(by_size[:3], rel=1e-8)
        assert laplacian_spectrum(products, degree).values == pytest.approx([largest], rel=1e-8)


@pytest.mark.parametrize("kind", ["equal channels", "equal halves"])
def test_the_gap_of_a_multiple_eigenvalue_is_zero(kind: str) -> None:
    torch.manual_seed(0)
    if kind == "equal channels":
        model, shape = chain(nn.Conv2d(6, 6, 3, padding=1, groups=6)), (6, 7, 7)
    else:
        halves = nn.Conv2d(2, 8, 3, padding=1, groups=2), nn.Conv2d(8, 4, 3, padding=1, groups=2)
        model, shape = chain(*halves), (2, 9, 9)
    with torch.no_grad():
        for weight in prunable(model).values():
            copies = 6 if kind == "equal channels" else 2
            share = len(weight) // copies
            weight.copy_(weight[:share].repeat(copies, 1, 1, 1))
    graph = encode(model, shape)
    values = np.linalg.eigvalsh(explicit(graph))
    assert values[-1] == pytest.approx(values[-2], rel=1e-12)
    assert measure(model, None, shape, metrics=["spectral_gap"])["spectral_gap"] == pytest.approx(0, abs=1e-6)


def explicit(graph: Graph) -> np.ndarray:
    """The undirected weighted adjacency matrix, dense."""
    matrix = directed_matrix(graph)
    return matrix + matrix.T


def directed_matrix(graph: Graph) -> np.ndarray:
    """[source, target], dense."""
    source, target, weight = listed(graph)
    matrix = np.zeros((graph.nodes, graph.nodes))
    np.add.at(matrix, (source, target), weight)
    return matrix


@pytest.mark.parametrize("name", [*NETWORKS, *PARALLEL])
@pytest.mark.parametrize("density", [0.5, 1.0])
def test_products_by_strips_and_by_convolution_are_those_of_the_matrix(name: str, density: float) -> None:
    model, shape = build(name, 4)
    graph = encode(model, shape, random_masks(model, density, 4))
    matrix, by_strips = explicit(graph), Adjacency(placed(graph), graph.nodes)
    for x in np.random.default_rng(0).standard_normal((3, graph.nodes)):
        np.testing.assert_allclose(by_strips(x), matrix @ x, rtol=0, atol=1e-12)
        assert by_strips(x[::-1]) == pytest.approx(matrix @ x[::-1], rel=0, abs=1e-12)
    links = placed(graph)
    for product in (Strips(links), Convolutions(links, "cpu")):
        for number, one in enumerate(links):  # one link at a time, one way at a time
            only, none = np.arange(len(links)) == number, np.zeros(len(links), dtype=bool)
            alone = directed_matrix(Graph(graph.shapes, [one.link]))
            for x in np.random.default_rng(0).standard_normal((2, graph.nodes)):
                np.testing.assert_allclose(product(x, only, none), alone.T @ x, rtol=0, atol=1e-12)
                np.testing.assert_allclose(product(x, none, only), alone @ x, rtol=0, atol=1e-12)


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("name", [*NETWORKS, *PARALLEL])
def test_two_hops_from_masks_are_those_along_edges(name: str, density: float) -> None:
    model, shape = build(name, 6)
    graph = encode(model, shape, random_masks(model, density, 6))
    assert two_hops(graph) == two_hops_by_edges(directed(graph))


def csr(graph: nx.Graph) -> Csr:
    """Of a graph on 0, 1, ..., parallel edges as often as they are there."""
    lists = [sorted(v for u, v in graph.edges(node)) for node in range(len(graph))]
    start = np.concatenate([[0], np.cumsum([len(row) for row in lists])]).astype(np.int64)
    return Csr(start, np.array([v for row in lists for v in row], dtype=np.int32))


@st.composite
def graphs(draw: st.DrawFn) -> nx.Graph:
    n = draw(st.integers(1, 11))
    pairs = list(itertools.combinations(range(n), 2))
    graph = nx.empty_graph(n)
    if pairs:
        graph.add_edges_from(draw(st.lists(st.sampled_from(pairs), max_size=2 * len(pairs))))
    return graph


def assert_functions(graph: nx.Graph) -> None:
    rows = csr(graph)
    assert components(rows) == nx.number_connected_components(graph)
    assert cuts(rows) == (len(list(nx.bridges(graph))), len(list(nx.articulation_points(graph))))
    cores = nx.core_number(graph)
    assert core_numbers(rows).tolist() == [cores[u] for u in range(len(graph))]
    assert motif4(rows) == (connected_subgraphs(graph, 4), 0.0)


@settings(PROPERTY, max_examples=150)
@given(graph=graphs())
def test_functions_of_random_graphs(graph: nx.Graph) -> None:
    assert_functions(graph)


NAMED: dict[str, Callable[[], nx.Graph]] = {
    "complete 4": lambda: nx.complete_graph(4),
    "complete 7": lambda: nx.complete_graph(7),
    "two complete 4": lambda: nx.disjoint_union(nx.complete_graph(4), nx.complete_graph(4)),
    "barbell": lambda: nx.barbell_graph(5, 3),
    "star": lambda: nx.star_graph(6),
    "path": lambda: nx.path_graph(5),
    "cycle 4": lambda: nx.cycle_graph(4),
    "cycle 5": lambda: nx.cycle_graph(5),
    "paw": lambda: nx.Graph([(0, 1), (1, 2), (2, 0), (2, 3)]),
    "diamond": lambda: nx.Graph([(0, 1), (1, 2), (2, 3), (3, 0), (0, 2)]),
    "empty": lambda: nx.empty_graph(3),
    "bipartite": lambda: nx.complete_bipartite_graph(4, 5),
    "tripartite": lambda: nx.complete_multipartite_graph(3, 3, 3),
    "sparse": lambda: nx.gnp_random_graph(60, 0.03, seed=1),
    "medium": lambda: nx.gnp_random_graph(40, 0.1, seed=2),
    "dense": lambda: nx.gnp_random_graph(25, 0.5, seed=3),
    "caveman": lambda: nx.connected_caveman_graph(5, 5),
    "karate": lambda: nx.karate_club_graph(),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_functions_of_named_graphs(name: str) -> None:
    assert_functions(NAMED[name]())


@settings(PROPERTY, max_examples=100)
@given(data=st.data(), n=st.integers(2, 9))
def test_a_bridge_is_none_beside_a_parallel_edge(data: st.DataObject, n: int) -> None:
    pairs = st.sampled_from(list(itertools.combinations(range(n), 2)))
    graph = nx.MultiGraph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(data.draw(st.lists(pairs, max_size=14)))
    rows = csr(graph)
    simple = nx.Graph(graph)
    assert components(rows) == nx.number_connected_components(simple)
    single = [edge for edge in nx.bridges(simple) if graph.number_of_edges(*edge) == 1]
    assert cuts(rows) == (len(single), len(list(nx.articulation_points(simple))))


def test_a_path_as_long_as_no_recursion_could_walk() -> None:
    n = 200_000
    order = np.arange(n)
    forward = Csr(np.minimum(np.arange(n + 1), n - 1).astype(np.int64), order[1:].astype(np.int32))
    rows = undirected(forward)
    assert components(rows) == 1
    assert cuts(rows) == (n - 1, n - 2)
    assert set(core_numbers(rows).tolist()) == {1}
    assert motif4(rows) == (n - 3, 0.0)
    assert two_hops_by_edges(forward) == 2 * n - 3


def oriented(graph: nx.Graph, ascending: bool) -> Csr:
    """Each edge one way: from the smaller node, or to and fro at random."""
    chance = random.Random(0)
    lists: list[list[int]] = [[] for _ in graph]
    for u, v in graph.edges:
        a, b = sorted((u, v), reverse=not ascending and chance.random() < 0.5)
        lists[a].append(b)
    start = np.concatenate([[0], np.cumsum([len(row) for row in lists])]).astype(np.int64)
    return Csr(start, np.array([v for row in lists for v in sorted(row)], dtype=np.int32))


@pytest.mark.parametrize(
    "ascending",
    [
        True,
        False,
    ],
)
def test_an_undirected_graph_has_every_neighbour_in_ascending_order(ascending: bool) -> None:
    graph = nx.gnp_random_graph(30, 0.2, seed=0)
    got, want = undirected(oriented(graph, ascending)), csr(graph)
    assert np.array_equal(got.start, want.start)
    assert np.array_equal(got.neighbours, want.neighbours)


@pytest.mark.parametrize("name", ["layers", "skips", "triangles"])
def test_a_sample_of_motifs_is_within_its_standard_error(name: str) -> None:
    torch.manual_seed(0)
    if name == "triangles":
        rows = csr(nx.powerlaw_cluster_graph(300, 6, 0.5, seed=0))
    else:
        block = chain(same(4), nn.ReLU(), same(4))
        middle = Residual(block) if name == "skips" else block
        model = chain(same(3, 4), middle, same(4, 6, 2), nn.Flatten(), nn.Linear(150, 5))
        rows = undirected(directed(encode(model, (3, 10, 10), random_masks(model, 0.3, 0))))
    exact, none = motif4(rows)
    assert none == 0
    estimates = [motif4(rows, seed=seed, most=0) for seed in range(12)]
    for value, error in estimates:
        assert 0 < error < 0.1 * exact
        assert abs(value - exact) < 6 * error
    spread = np.std([value for value, _ in estimates], ddof=1)
    assert 0.4 < spread / np.mean([error for _, error in estimates]) < 2
    assert motif4(rows, seed=3, most=0) == estimates[3]
    assert len({value for value, _ in estimates}) == 12


def test_a_sample_is_taken_beyond_the_most_wedges(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = csr(nx.complete_bipartite_graph(4, 5))
    wedges = sum(d * (d - 1) for d in np.diff(rows.start).tolist())
    assert motif4(rows, most=wedges)[1] == 0
    monkeypatch.setattr(motifs, "SAMPLED", 64)
    assert motif4(rows, most=wedges - 1)[0] == pytest.approx(126 - 5 - 1, rel=0.5)
