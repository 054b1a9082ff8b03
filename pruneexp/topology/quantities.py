"""What the metrics of a multipartite graph are made of, each made once, when first needed."""

from functools import cached_property

import numpy as np

from pruneexp.topology.adjacency import Adjacency, placed
from pruneexp.topology.connectivity import components, cuts
from pruneexp.topology.edges import Csr, directed, simple, undirected
from pruneexp.topology.encoding import Graph
from pruneexp.topology.motifs import motif4
from pruneexp.topology.spectra import Spectrum, adjacency_spectrum, laplacian_spectrum
from pruneexp.topology.two_hops import two_hops


class Topology:
    """A graph and what several of its metrics share, each made once, when first needed.

    Args:
        graph: the multipartite graph.
        device: of products with the adjacency matrix.
    """

    def __init__(self, graph: Graph, device: str = "cpu") -> None:
        self.graph, self.device = graph, device

    @property
    def nodes(self) -> int:
        return self.graph.nodes

    @cached_property
    def edges(self) -> int:
        return self.graph.edges

    @cached_property
    def outgoing(self) -> np.ndarray:
        return self.graph.degrees(outgoing=True)

    @cached_property
    def incoming(self) -> np.ndarray:
        return self.graph.degrees(outgoing=False)

    @cached_property
    def sinks(self) -> np.ndarray:
        """bool [nodes]: nothing leaves, something arrives; the output's nodes apart."""
        found = (self.outgoing == 0) & (self.incoming > 0)
        found[self.graph.last] = False
        return found

    @cached_property
    def sources(self) -> np.ndarray:
        """bool [nodes]: nothing arrives, something leaves; the input's nodes apart."""
        found = (self.incoming == 0) & (self.outgoing > 0)
        found[: self.graph.offsets[1]] = False
        return found

    @property
    def sink(self) -> float:
        return float(self.sinks.sum())

    @property
    def source(self) -> float:
        return float(self.sources.sum())

    @property
    def disconnected(self) -> float:
        return float(((self.outgoing == 0) & (self.incoming == 0)).sum())

    @property
    def r_out(self) -> float:
        return float(self.outgoing[self.sources].sum())

    @property
    def r_in(self) -> float:
        return float(self.incoming[self.sinks].sum())

    @property
    def n2(self) -> float:
        return 1 + two_hops(self.graph) / self.nodes

    @property
    def strength(self) -> float:
        return 2 * sum(link.total for link in self.graph.links) / self.nodes

    @cached_property
    def undirected(self) -> Csr:
        return undirected(directed(self.graph))

    @cached_property
    def motifs(self) -> tuple[float, float]:
        return motif4(simple(self.undirected))

    @cached_property
    def components(self) -> int:
        return components(self.undirected)

    @cached_property
    def cuts(self) -> tuple[int, int]:
        return cuts(self.undirected)

    @cached_property
    def adjacency(self) -> Adjacency:
        return Adjacency(placed(self.graph), self.nodes, self.device)

    @cached_property
    def adjacency_spectrum(self) -> Spectrum:
        return adjacency_spectrum(self.adjacency)

    @cached_property
    def degree(self) -> np.ndarray:
        """Weighted, both directions."""
        return self.graph.degrees(True, weighted=True) + self.graph.degrees(False, weighted=True)

    @cached_property
    def laplacian_spectrum(self) -> Spectrum:
        return laplacian_spectrum(self.adjacency, self.degree)

    @property
    def spectral_gap(self) -> float:
        first, second = self.adjacency_spectrum.values[:2]
        return float(first - second)
