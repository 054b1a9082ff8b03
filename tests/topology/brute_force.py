"""The unrolled graph of a small network edge by edge, and its metrics by definition: slow, and sharing nothing with the package.

A layer's edges are what it answers to a unit impulse at each of its inputs, one after another; a pooling window is where an impulse
shows in the pooled map. Networks are chains (`nn.Sequential`) of layers and of the blocks defined here.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace

import networkx as nx
import numpy as np
import torch
from torch import nn

Node = tuple[int, int]  # partition, position in it

PASSING = (nn.ReLU, nn.GELU, nn.Tanh, nn.BatchNorm1d, nn.BatchNorm2d, nn.Dropout, nn.Identity)


class Mean(nn.Module):
    """Over positions."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=(2, 3))


class Residual(nn.Module):
    """main(x) + shortcut(x); without a shortcut main(x) + x.

    Args:
        main: ends with a convolution or linear layer.
        shortcut: ends with one too, or only pools.
        shortcut_first: computed before `main`.
    """

    def __init__(self, main: nn.Module, shortcut: nn.Module | None = None, shortcut_first: bool = False) -> None:
        super().__init__()
        self.main, self.shortcut, self.shortcut_first = main, shortcut or nn.Identity(), shortcut_first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.shortcut_first:
            short = self.shortcut(x)
            return short + self.main(x)
        return self.main(x) + self.shortcut(x)


class PreActivation(nn.Module):
    """main(a) + shortcut(a), or main(a) + x without a shortcut, with a = relu(batchnorm(x))."""

    def __init__(self, channels: int, main: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)
        self.main, self.shortcut = main, shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        active = torch.relu(self.bn(x))
        return self.main(active) + (x if self.shortcut is None else self.shortcut(active))


@dataclass(frozen=True)
class Map:
    """A feature map: the nodes behind each of its positions (several behind a pooled one), flattened, and its shape."""

    nodes: list[list[Node]]
    shape: tuple[int, ...]


class Builder:
    """Walks through a network and draws its edges.

    Args:
        weights: of every layer by module, absolute values, masked.
        skips: draw identity skips.
    """

    def __init__(self, weights: Mapping[nn.Module, torch.Tensor], skips: bool) -> None:
        self.weights, self.skips, self.count = weights, skips, 0
        self.graph = nx.MultiDiGraph()

    def partition(self, shape: tuple[int, ...]) -> Map:
        nodes = [(self.count, k) for k in range(int(np.prod(shape)))]
        self.count += 1
        self.graph.add_nodes_from(nodes)
        return Map([[node] for node in nodes], shape)

    def walk(self, module: nn.Module, into: Map) -> Map:
        if isinstance(module, nn.Sequential):
            for part in module:
                into = self.walk(part, into)
            return into
        if isinstance(module, Residual):
            return self.meet(self.walk(module.main, into), self.walk(module.shortcut, into), module.shortcut)
        if isinstance(module, PreActivation):
            main = self.walk(module.main, into)
            shortcut = into if module.shortcut is None else self.walk(module.shortcut, into)
            return self.meet(main, shortcut, module.shortcut)
        if isinstance(module, PASSING):
            return into
        if isinstance(module, nn.Flatten):
            return replace(into, shape=(len(into.nodes),))
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            return self.layer(module, into)
        return self.pool(module, into)

    def layer(self, module: nn.Conv2d | nn.Linear, into: Map) -> Map:
        answers = impulses(module, self.weights[module], into.shape)
        made = self.partition(tuple(answers.shape[1:]))
        for k, answer in enumerate(answers.reshape(len(answers), -1).numpy()):
            for target in np.flatnonzero(answer):
                for node in into.nodes[k]:
                    self.graph.add_edge(node, made.nodes[target][0], weight=float(answer[target]))
        return made

    def pool(self, module: nn.Module, into: Map) -> Map:
        size = len(into.nodes)
        windows = module(torch.eye(size, dtype=torch.float64).reshape(size, *into.shape)) > 0
        nodes = [
            [node for k in np.flatnonzero(window) for node in into.nodes[k]] for window in windows.reshape(size, -1).T
        ]
        return Map(nodes, tuple(windows.shape[1:]))

    def meet(self, main: Map, other: Map, shortcut: nn.Module | None) -> Map:
        """The sum of a block's two ways: one partition if both end with a layer, else unit edges along the skip."""
        if shortcut is not None and any(isinstance(part, (nn.Conv2d, nn.Linear)) for part in shortcut.modules()):
            same = {b[0]: a[0] for a, b in zip(main.nodes, other.nodes, strict=True)}
            nx.relabel_nodes(self.graph, same, copy=False)
        elif self.skips:
            for targets, nodes in zip(main.nodes, other.nodes, strict=True):
                self.graph.add_edges_from(((node, targets[0]) for node in nodes), weight=1.0)
        return main


def impulses(module: nn.Conv2d | nn.Linear, weight: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """float64 [inputs, *outputs]: the layer's answer, without its bias, to 1 at one input and 0 at all others."""
    layer = copy.deepcopy(module).double()
    layer.bias = None
    size = int(np.prod(shape))
    with torch.no_grad():
        layer.weight.copy_(weight)
        return layer(torch.eye(size, dtype=torch.float64).reshape(size, *shape))


def unrolled(
    model: nn.Module,
    input_shape: tuple[int, ...],
    masks: Mapping[str, torch.Tensor] | None = None,
    skips: bool = True,
) -> tuple[nx.MultiDiGraph, set[Node], set[Node]]:
    """The graph, and the nodes of the input and of the output."""
    weights: dict[nn.Module, torch.Tensor] = {}
    for name, module in model.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            mask = torch.ones(()) if masks is None else masks.get(f"{name}.weight", torch.ones(()))
            weights[module] = module.weight.detach().double().abs() * mask
    builder = Builder(weights, skips)
    first = builder.partition(input_shape)
    last = builder.walk(model, first)
    ends = [{nodes[0] for nodes in end.nodes} for end in (first, last)]
    return builder.graph, ends[0], ends[1]


def parallel(graph: nx.MultiDiGraph) -> int:
    """Edges beyond the first between the same two nodes."""
    return graph.number_of_edges() - nx.Graph(graph).number_of_edges()


def metrics(graph: nx.MultiDiGraph, first: set[Node], last: set[Node]) -> dict[str, float]:
    """The sixteen metrics by their definitions. Parallel edges count one by one in degrees, strength, spectra and as no bridges."""
    n, e = graph.number_of_nodes(), graph.number_of_edges()
    out, into = dict(graph.out_degree()), dict(graph.in_degree())
    sinks = [u for u in graph if out[u] == 0 and into[u] > 0 and u not in last]
    sources = [u for u in graph if into[u] == 0 and out[u] > 0 and u not in first]
    simple = nx.Graph(graph)
    adjacency = nx.to_numpy_array(graph, weight="weight")
    adjacency = adjacency + adjacency.T
    values = np.linalg.eigvalsh(adjacency)
    components = nx.number_connected_components(simple)
    raw = {
        "sink": len(sinks),
        "source": len(sources),
        "disconnected": sum(out[u] == into[u] == 0 for u in graph),
        "r_out": sum(out[u] for u in sources),
        "r_in": sum(into[u] for u in sinks),
        "n1": sum(reached(graph, u, 1) for u in graph) / n,
        "n2": sum(reached(graph, u, 2) for u in graph) / n,
        "motif4": connected_subgraphs(simple, 4),
        "k_core": sum(nx.core_number(simple).values()) / n,
        "strength": 2 * sum(weight for *_, weight in graph.edges(data="weight")) / n,
        "components": components,
        "mean_component": n / components,
        "cut_edges": sum(1 for _ in nx.bridges(nx.MultiGraph(graph))),
        "cut_nodes": sum(1 for _ in nx.articulation_points(simple)),
        "spectral_gap": float(values[-1] - values[-2]),
        "spectral_radius": float(np.linalg.eigvalsh(np.diag(adjacency.sum(axis=1)) - adjacency)[-1]),
    }
    by_nodes = {"sink", "source", "disconnected", "mean_component"}
    plain = {"components", "spectral_gap", "spectral_radius"}
    normalised = {
        f"{name}_norm": value / (n if name in by_nodes else 1 if name in plain else e) for name, value in raw.items()
    }
    return {**raw, **normalised}


def reached(graph: nx.MultiDiGraph, start: Node, hops: int) -> int:
    """Distinct nodes at most so many directed hops away, `start` included."""
    return len(nx.single_source_shortest_path_length(graph, start, cutoff=hops))


def connected_subgraphs(graph: nx.Graph, size: int) -> int:
    """The number of sets of `size` nodes that induce a connected subgraph, by listing them: bit sets grown by a neighbour."""
    number = {node: k for k, node in enumerate(graph)}
    near = [sum(1 << number[v] for v in graph[u] if v != u) for u in graph]
    sets = {1 << k: near[k] for k in range(len(near))}  # members -> their neighbours
    for _ in range(size - 1):
        grown: dict[int, int] = {}
        for members, around in sets.items():
            rest = around & ~members
            while rest:
                bit = rest & -rest
                rest ^= bit
                if members | bit not in grown:
                    grown[members | bit] = around | near[bit.bit_length() - 1]
        sets = grown
    return len(sets)
