"""Layers as bipartite graphs of their own, and the metrics that go by Ramanujan's bound."""

import math
from typing import Literal

import scipy.sparse as sp
import torch
from torch import nn

from pruneexp.components.options import checked
from pruneexp.components.values import Count
from pruneexp.graphs.bipartite import biadjacency, sparse
from pruneexp.graphs.spectrum import both_imdbs, bound_gap, imsg, ramanujan_bound
from pruneexp.network.masks import Masks, check
from pruneexp.network.plain import reference
from pruneexp.network.prunable import outputs_first, prunable, prunable_layers


def rolled(weight: torch.Tensor) -> sp.csr_array:
    """[C_in K_h K_w, C_out]: an edge of weight |w| for each kept weight."""
    return sparse(biadjacency(weight.detach().abs().double()))


def rolled_channel(weight: torch.Tensor) -> sp.csr_array:
    """[C_in, C_out]: an edge where a kernel is not all zero, its 2-norm the weight."""
    values = weight.detach().double()
    return sparse(values.flatten(2).norm(dim=2).T if values.ndim > 2 else values.abs().T)


@checked
def ramanujan_metrics(
    model: nn.Module,
    masks: Masks | None = None,
    mode: Literal["correct", "published"] = "correct",
    fewest: Count = 1,
) -> dict[str, dict[str, float]]:
    """For each layer its density and, of its rolled graph, difference of bound, IMDB, normalised IMDB and IMSG (NaN where there is none).

    With d_L, d_R the mean degrees over vertices with an edge, the difference of bound is sqrt(d_L - 1) + sqrt(d_R - 1) - sigma_2
    (`bound_gap`); IMDB and IMSG are means over regular subgraphs (`imdb`, `imdb_norm`, `imsg`).

    Args:
        model: whose weights, under the masks, are the edges' weights.
        masks: by weight name; None takes the network's own zeros.
        mode: ``correct``, or ``published``, where the difference of bound is divided by the bound, and IMDB is the normalised one.
        fewest: left vertices of one degree that make a regular subgraph; Hoang et al.'s program has 3.

    Raises:
        UserError: a mask that is not the network's.
    """
    network = reference(model)
    weights, layers = prunable(network), prunable_layers(network)
    check(weights, masks or {})
    result = {}
    for name, weight in weights.items():
        value = weight.detach().cpu() * (masks[name].cpu() if masks and name in masks else 1)
        graph = rolled(outputs_first(layers[name], value))
        gap = bound_gap(graph)
        plain, norm = both_imdbs(graph, fewest)
        if mode == "published" and graph.nnz:
            gap /= ramanujan_bound(graph) or math.nan
        result[name] = {
            "layer_density": graph.nnz / weight.numel(),
            "difference_of_bound": gap,
            "imdb": norm if mode == "published" else plain,
            "imdb_norm": norm,
            "imsg": imsg(graph, fewest),
        }
    return result
