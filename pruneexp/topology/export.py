"""A network's graph, or one layer's, for other programs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from torch import nn

from pruneexp.errors import UserError
from pruneexp.network.masks import Masks
from pruneexp.system import files
from pruneexp.topology.edges import listed
from pruneexp.topology.encoding import Graph, Link
from pruneexp.topology.tracing import encode

SUFFIXES = (".csv", ".npz", ".graphml")


def save_graph(graph: Graph | sp.sparray, path: str | Path) -> None:
    """Write every edge: .csv (source,target,weight), .npz (scipy's CSR, load_npz; parallel edges summed) or .graphml.

    Args:
        graph: of a network (`encode`), of its layers (`unrolled`), or a layer's matrix (`rolled`, `rolled_channel`).
        path: its suffix says how.

    Raises:
        UserError: another suffix, or the file cannot be written.
    """
    path = Path(path)
    graph = graph if isinstance(graph, Graph) else bipartite(graph)
    if path.suffix not in SUFFIXES:
        raise UserError(f"a graph is written as {', '.join(SUFFIXES)}, got {path.name}.")
    try:
        with files.writing(path) as file:
            if path.suffix == ".npz":
                sp.save_npz(file, to_csr(graph))
            elif path.suffix == ".csv":
                edges = np.column_stack(listed(graph))
                np.savetxt(file, edges, "%d,%d,%.9g", header="source,target,weight", comments="")
            else:
                import networkx as nx

                nx.write_graphml(to_networkx(graph), file)
    except OSError as error:
        raise UserError(files.unwritable(path, error)) from error
    except ImportError as error:
        raise UserError("GraphML needs networkx: pip install networkx.") from error


def bipartite(matrix: sp.sparray) -> Graph:
    """A layer's matrix [L, R] as a graph of two partitions."""
    left, right = matrix.shape
    one = np.zeros((1, 3), dtype=np.int64)
    weight = abs(matrix).T.toarray()[:, :, None, None]
    return Graph([(left, 1, 1), (right, 1, 1)], [Link("weight", 0, 1, np.asarray(weight, dtype=np.float64), one, one)])


def unrolled(model: nn.Module, input_shape: tuple[int, ...], masks: Masks | None = None) -> dict[str, Graph]:
    """Each layer's unrolled bipartite graph, input positions to output positions, by weight name.

    Raises:
        UserError: as `encode`.
    """
    graph = encode(model, input_shape, masks, skips=False)
    return {
        link.name: Graph([graph.shapes[link.source], graph.shapes[link.target]], [replace(link, source=0, target=1)])
        for link in graph.links
        if " " not in link.name
    }


def to_csr(graph: Graph) -> sp.csr_array:
    """float64 [nodes, nodes], row source, column target; parallel edges are summed."""
    source, target, weight = listed(graph)
    return sp.csr_array((weight, (source.astype(np.int32), target.astype(np.int32))), shape=(graph.nodes, graph.nodes))


def to_networkx(graph: Graph) -> Any:
    """A networkx.MultiDiGraph; nodes have their `partition`, edges their `weight`.

    Raises:
        ImportError: networkx is not installed.
    """
    import networkx as nx

    made = nx.MultiDiGraph()  # overlapping pools give parallel edges
    for partition, (begin, end) in enumerate(zip(graph.offsets, graph.offsets[1:], strict=False)):
        made.add_nodes_from(range(int(begin), int(end)), partition=partition)
    source, target, weight = listed(graph)
    made.add_weighted_edges_from(zip(source.tolist(), target.tolist(), weight.tolist(), strict=True))
    return made


def to_igraph(graph: Graph) -> Any:
    """A directed igraph.Graph with the edge attribute `weight` and the node attribute `partition`.

    Raises:
        ImportError: igraph is not installed.
    """
    import igraph

    source, target, weight = listed(graph)
    made = igraph.Graph(graph.nodes, np.column_stack([source, target]), directed=True, edge_attrs={"weight": weight})
    made.vs["partition"] = np.repeat(np.arange(len(graph.shapes)), np.diff(graph.offsets)).tolist()
    return made
