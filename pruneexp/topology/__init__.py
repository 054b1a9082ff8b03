"""Networks as multipartite graphs, and what their topology is."""

from pruneexp.topology.encoding import Graph, Link
from pruneexp.topology.export import bipartite, save_graph, to_csr, to_igraph, to_networkx, unrolled
from pruneexp.topology.measure import METRICS, measure
from pruneexp.topology.rolled import ramanujan_metrics, rolled, rolled_channel
from pruneexp.topology.tracing import encode

__all__ = [
    "METRICS",
    "Graph",
    "Link",
    "bipartite",
    "encode",
    "measure",
    "ramanujan_metrics",
    "rolled",
    "rolled_channel",
    "save_graph",
    "to_csr",
    "to_igraph",
    "to_networkx",
    "unrolled",
]
