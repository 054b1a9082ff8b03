"""The sixteen metrics of Cunegatti et al. for a network's multipartite graph."""

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from torch import nn

from pruneexp.errors import UserError, unknown
from pruneexp.masks import Masks
from pruneexp.options import value_of
from pruneexp.topology.connectivity import components, core_numbers, cuts
from pruneexp.topology.edges import Csr, directed, simple, undirected
from pruneexp.topology.encoding import Graph
from pruneexp.topology.motifs import motif4
from pruneexp.topology.spectra import Spectrum, adjacency, adjacency_spectrum, laplacian_spectrum
from pruneexp.topology.tracing import encode
from pruneexp.topology.two_hops import two_hops

Mode = Literal["correct", "published"]


def measure(
    model: nn.Module,
    masks: Masks | None,
    input_shape: tuple[int, ...],
    mode: Mode = "correct",
    metrics: Iterable[str] | None = None,
    device: str = "cpu",
) -> dict[str, float]:
    """The metrics, raw under their names and normalised under ``<name>_norm``.

    Args:
        model: of Conv2d and Linear layers, pooling and additions.
        masks: by weight name; None takes the network's own zeros.
        input_shape: [C, H, W] or [units].
        mode: ``correct`` measures what the network computes; ``published`` what the authors' program measured (see `published`).
        metrics: some of `METRICS`, all where left out.
        device: where products with the adjacency matrix are made.

    Pools whose windows overlap, and layers that are added to their own input, give a node several edges to another: degrees, n1,
    strength, core numbers and spectra count each, motif4 and n2 the nodes that they join.

    Returns:
        float by name; with spectral metrics also their ``<name>_residual``, with motif4 ``motif4_error``, its standard error.

    Raises:
        UserError: a metric misspelt, a mask or input that is not the network's, an operation without a meaning in the graph.
    """
    try:
        if torch.device(device).type not in ("cpu", "cuda"):
            raise RuntimeError
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise UserError("device=cuda needs a CUDA GPU, and there is none: use device=cpu.")
    except (RuntimeError, TypeError, AttributeError) as error:
        raise UserError(f"device must be cpu or cuda, got {device!r}.") from error
    value_of("measure's mode", Mode, mode)
    wanted = list(METRICS) if metrics is None else list(metrics)
    for name in wanted:
        if name not in METRICS:
            raise UserError(unknown("metric", name, METRICS))
    if mode == "published":
        from pruneexp.topology.published import PublishedTopology, encode_published

        topology: Topology = PublishedTopology(encode_published(model, input_shape, masks))
    else:
        topology = Topology(encode(model, input_shape, masks), device)
    if not topology.edges:
        raise UserError("the graph has no edge: every weight is zero or pruned.")
    result: dict[str, float] = {}
    for name in wanted:
        function, normaliser = METRICS[name]
        result[name] = function(topology)
        by = {"N": topology.nodes, "E": topology.edges, "": 1}[normaliser]
        result[f"{name}_norm"] = result[name] / by
        if name == "motif4":
            result["motif4_error"] = topology.motifs[1]
        if name == "spectral_gap":
            result["spectral_gap_residual"] = topology.adjacency_spectrum.residual
        if name == "spectral_radius":
            result["spectral_radius_residual"] = topology.laplacian_spectrum.residual
    return result


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
    def product(self) -> Callable[[np.ndarray], np.ndarray]:
        return adjacency(self.graph, self.device)

    @cached_property
    def adjacency_spectrum(self) -> Spectrum:
        return adjacency_spectrum(self.product, self.nodes)

    @cached_property
    def degree(self) -> np.ndarray:
        """Weighted, both directions."""
        return self.graph.degrees(True, weighted=True) + self.graph.degrees(False, weighted=True)

    @cached_property
    def laplacian_spectrum(self) -> Spectrum:
        return laplacian_spectrum(self.product, self.degree)

    @property
    def spectral_gap(self) -> float:
        first, second = self.adjacency_spectrum.values[:2]
        return float(first - second)


# name -> (value, what the normalised one is divided by: nodes, edges or nothing)
METRICS: dict[str, tuple[Callable[[Topology], float], str]] = {
    "sink": (lambda t: t.sink, "N"),
    "source": (lambda t: t.source, "N"),
    "disconnected": (lambda t: t.disconnected, "N"),
    "r_out": (lambda t: t.r_out, "E"),
    "r_in": (lambda t: t.r_in, "E"),
    "n1": (lambda t: 1 + t.edges / t.nodes, "E"),
    "n2": (lambda t: t.n2, "E"),
    "motif4": (lambda t: t.motifs[0], "E"),
    "k_core": (lambda t: float(core_numbers(t.undirected).mean()), "E"),
    "strength": (lambda t: t.strength, "E"),
    "components": (lambda t: float(t.components), ""),
    "mean_component": (lambda t: t.nodes / t.components, "N"),
    "cut_edges": (lambda t: float(t.cuts[0]), "E"),
    "cut_nodes": (lambda t: float(t.cuts[1]), "E"),
    "spectral_gap": (lambda t: t.spectral_gap, ""),
    "spectral_radius": (lambda t: float(t.laplacian_spectrum.values[0]), ""),
}
