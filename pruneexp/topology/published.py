"""What the authors of the multipartite encoding measured: their program's graph, for recomputing their tables.

It differs from what the network computes in five ways. The first convolution's padding positions are nodes. Weights are
rounded to float16. Identity skips are left out. A convolution of stride 2 loses the last row and column of its input, numbers
positions by rows of H - 1 where the partition has rows of H, and its targets are shifted by what that leaves out,
C (H^2 - (H - 1)^2) nodes: into the wrong channels, and in part into the partition before. And sources and sinks are counted as
all nodes without in- or out-degree, less the first or last partition, less all disconnected ones, so that a disconnected
input is taken off twice; the names r_out and r_in are exchanged.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from torch import nn

from pruneexp.errors import UserError
from pruneexp.network.masks import Masks
from pruneexp.network.plain import modules_by_name
from pruneexp.topology.adjacency import Adjacency, Placed, placed
from pruneexp.topology.edges import Csr, by_position, listed, undirected
from pruneexp.topology.encoding import Graph
from pruneexp.topology.quantities import Topology
from pruneexp.topology.relations import sliding
from pruneexp.topology.spectra import Spectrum, magnitude_spectrum
from pruneexp.topology.tracing import encode
from pruneexp.topology.two_hops import two_hops_by_edges


@dataclass(frozen=True)
class PublishedGraph:
    """Every edge by its numbers.

    Attributes:
        nodes: their number.
        first, last: nodes of the first and the last partition.
        source, target: int32 [edges].
        weight: float64 [edges], float16 values.
        links: the same edges, by links.
        order: int32 [nodes], each one's number `by_position`.
    """

    nodes: int
    first: int
    last: int
    source: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    links: list[Placed]
    order: np.ndarray


def encode_published(model: nn.Module, input_shape: tuple[int, ...], masks: Masks | None) -> PublishedGraph:
    """The authors' graph.

    Raises:
        UserError: as `encode`; or the network does not begin with a convolution of stride 1, or has other edges than convolutions',
            linear layers' and identity skips.
    """
    graph = encode(model, input_shape, masks, skips=False)
    modules = modules_by_name(model)
    for link in graph.links:
        if not isinstance(modules.get(link.name.removesuffix("weight").removesuffix(".")), (nn.Conv2d, nn.Linear)):
            raise UserError(
                f"mode=published is of networks of convolutions and linear layers, and this one has {link.name}: use mode=correct."
            )
    if not graph.links:
        raise UserError("the graph has no edge: every weight is zero or pruned.")
    first = graph.links[0]
    stem = modules[first.name.removesuffix("weight").removesuffix(".")]
    if not isinstance(stem, nn.Conv2d) or stem.stride != (1, 1) or isinstance(stem.padding, str):
        raise UserError("mode=published is of networks that begin with a convolution of stride 1: use mode=correct.")
    channels, *sides = graph.shapes[0]
    relations = first.rows, first.columns
    bare = [
        sliding(side, int(relation[:, 2].max()) + 1, kernel, 1, padding, 1)
        for side, relation, kernel, padding in zip(sides, relations, stem.kernel_size, stem.padding, strict=True)
    ]
    last = [partition % len(graph.shapes) for partition in graph.outputs] == [len(graph.shapes) - 1]
    alone = last and sum(link.source == 0 for link in graph.links) == 1
    same = [np.array_equal(np.unique(a, axis=0), np.unique(b, axis=0)) for a, b in zip(relations, bare, strict=True)]
    if not alone or not all(same):
        raise UserError(
            "mode=published is of networks that begin with one undilated convolution of their input: use mode=correct."
        )
    padded = [side + 2 * padding for side, padding in zip(sides, stem.padding, strict=True)]
    unpadded = [
        np.array([(z + i, i, z) for z in range(side - kernel + 1) for i in range(kernel)], dtype=np.int64)
        for side, kernel in zip(padded, stem.kernel_size, strict=True)
    ]
    links = [replace(link, weight=link.weight.astype(np.float16).astype(np.float64)) for link in graph.links]
    links[0] = replace(links[0], rows=unpadded[0], columns=unpadded[1])
    whole = Graph([(channels, padded[0], padded[1]), *graph.shapes[1:]], links)
    parts, places = [], []
    for one in placed(Graph(whole.shapes, links)):
        module = modules[one.link.name.removesuffix("weight").removesuffix(".")]
        if isinstance(module, nn.Conv2d) and module.stride == (2, 2) and module.padding == (1, 1):
            (c, h, w), (begin, end) = one.shapes[0], one.first
            rows, columns = (part[part[:, 0] < size - 1] for part, size in ((one.link.rows, h), (one.link.columns, w)))
            one = Placed(
                replace(one.link, rows=rows, columns=columns),
                (begin, end - c * (h * w - (h - 1) * (w - 1))),
                ((c, h - 1, w - 1), one.shapes[1]),
            )
        places.append(one)
        parts.append(_listed(one))
    source, target, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
    sizes = np.diff(whole.offsets)
    return PublishedGraph(
        whole.nodes, int(sizes[0]), int(sizes[-1]), source, target, weight, places, by_position(whole)
    )


def _listed(one: Placed) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Its edges."""
    source, target, weight = listed(Graph(list(one.shapes), [replace(one.link, source=0, target=1)]))
    (first, second), size = one.first, np.prod(one.shapes[0])
    return source + np.int32(first), target + np.int32(second - size), weight


class PublishedTopology(Topology):
    """The authors' metrics of their graph; motif4 is the exact number, where theirs is a random estimate that varies threefold.

    Args:
        published: the graph.
    """

    def __init__(self, published: PublishedGraph) -> None:
        self.published = published

    @property
    def nodes(self) -> int:
        return self.published.nodes

    @cached_property
    def edges(self) -> int:
        return len(self.published.source)

    @cached_property
    def outgoing(self) -> np.ndarray:
        return np.bincount(self.published.source, minlength=self.nodes)

    @cached_property
    def incoming(self) -> np.ndarray:
        return np.bincount(self.published.target, minlength=self.nodes)

    @cached_property
    def sinks(self) -> np.ndarray:
        return (self.outgoing == 0) & (self.incoming > 0) & (np.arange(self.nodes) < self.nodes - self.published.last)

    @cached_property
    def sources(self) -> np.ndarray:
        return (self.incoming == 0) & (self.outgoing > 0) & (np.arange(self.nodes) >= self.published.first)

    @property
    def sink(self) -> float:
        return float((self.outgoing == 0).sum() - self.published.last) - self.disconnected

    @property
    def source(self) -> float:
        return float((self.incoming == 0).sum() - self.published.first) - self.disconnected

    @property
    def r_out(self) -> float:
        return super().r_in

    @property
    def r_in(self) -> float:
        return super().r_out

    @property
    def strength(self) -> float:
        return 2 * float(self.published.weight.sum()) / self.nodes

    @cached_property
    def forward(self) -> Csr:
        """The out-neighbours of each node, nodes being numbered as in `directed`."""
        graph = self.published
        source, target = graph.order[graph.source], graph.order[graph.target]
        made = sp.csr_array((np.ones(len(source), dtype=bool), (source, target)), shape=(self.nodes, self.nodes))
        made.sort_indices()
        return Csr(made.indptr.astype(np.int64), made.indices)

    @cached_property
    def undirected(self) -> Csr:
        return undirected(self.forward)

    @property
    def n2(self) -> float:
        return 1 + two_hops_by_edges(self.forward) / self.nodes

    @cached_property
    def adjacency(self) -> Adjacency:
        return Adjacency(self.published.links, self.nodes)

    @cached_property
    def degree(self) -> np.ndarray:
        return self.adjacency(np.ones(self.nodes))

    @cached_property
    def adjacency_spectrum(self) -> Spectrum:
        """The three eigenvalues of largest magnitude."""
        return magnitude_spectrum(self.adjacency)

    @property
    def spectral_gap(self) -> float:
        first, _, third = np.abs(self.adjacency_spectrum.values)
        return float(first - third)
