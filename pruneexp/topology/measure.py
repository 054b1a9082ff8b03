"""The sixteen metrics of Cunegatti et al. for a network's multipartite graph."""

from collections.abc import Callable, Iterable
from typing import Literal

import torch
from torch import nn

from pruneexp.components.values import value_of
from pruneexp.errors import UserError, unknown
from pruneexp.network.masks import Masks
from pruneexp.topology.connectivity import core_numbers
from pruneexp.topology.published import PublishedTopology, encode_published
from pruneexp.topology.quantities import Topology
from pruneexp.topology.tracing import encode

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
        model: any network that `encode` takes.
        masks: by weight name; None takes the network's own zeros.
        input_shape: [C, H, W] or [units].
        mode: ``correct`` measures what the network computes; ``published`` what the authors' program measured (see `published`).
        metrics: some of `METRICS`, all where left out.
        device: where products with the adjacency matrix are made.

    Pools whose windows overlap, layers that are added to their own input, and channels that are read twice, give a node several
    edges to another: degrees, n1, strength, core numbers and spectra count each, motif4 and n2 the nodes that they join.

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
