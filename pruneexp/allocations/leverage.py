"""Sparsify's counts: how many weights of each layer it takes in expectation (Laenen 2023, appendix A)."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

from pruneexp.components.options import component
from pruneexp.errors import UserError
from pruneexp.graphs.bipartite import biadjacency
from pruneexp.graphs.inclusion import inclusion_probabilities, sampling_weight
from pruneexp.graphs.leverage import leverage_scores
from pruneexp.graphs.network import network_leverages
from pruneexp.layers import Layer, Notes, apportion, capacities, joined

Scope = Literal["layerwise", "global"]
Join = Literal["channel", "disjoint"]
Skip = Literal["none", "identify", "unit"]


@component("allocation")
def leverage(layers: Sequence[Layer], count: int, notes: Notes) -> np.ndarray:
    """Of each layer sum_e p_e weights, p_e = min(1, 5 ln(n) l_e eps) as layerwise Sparsify has it, by largest remainder.

    Args:
        layers: with their scores, non-negative.
        count: of the whole network.
        notes: receives ``filled`` (see `pruneexp.maskers.sparsify.sparsify`).

    Returns:
        int64 [layers].

    Raises:
        UserError: negative scores.
    """
    leverages = layer_leverages(layers, "layerwise", "channel", "none")
    shares = np.array([p.sum() for p in inclusion(layers, leverages, count, notes)])
    return apportion(shares, capacities(layers))


def inclusion(layers: Sequence[Layer], leverages: list[np.ndarray], count: int, notes: Notes) -> list[np.ndarray]:
    """Layerwise Sparsify's p_e of every weight, float64 arrays shaped like the weights; together they sum to `count`."""
    flat = inclusion_probabilities(edge_weights(layers, leverages, count, notes, "layerwise"), count)
    parts = np.split(flat, np.cumsum([layer.size for layer in layers])[:-1])
    return [part.reshape(layer.score.shape) for part, layer in zip(parts, layers, strict=True)]


FILLER = 1e-200  # weight of a fill-in edge: certain never, and no other edge loses any probability to it


def layer_leverages(layers: Sequence[Layer], scope: Scope, join: Join, skip: Skip) -> list[np.ndarray]:
    """l_e of every weight, float64 arrays shaped like the weights.

    Raises:
        UserError: negative scores, layers that the graph cannot join.
    """
    scores = [
        layer.score if bool(layer.available.all()) else torch.where(layer.available, layer.score, 0.0)
        for layer in layers
    ]
    for layer, score in zip(layers, scores, strict=True):
        if bool((score < 0).any()):
            raise UserError(
                f"leverages need non-negative scores, and {layer.name} has negative ones: use masker=greedy or greedy_global."
            )
    if scope == "layerwise" or join == "disjoint":
        found = [leverage_scores(biadjacency(score)).T.reshape(score.shape) for score in scores]
    else:
        wiring = joined(layers)
        wiring = wiring.identified() if skip == "identify" else wiring
        vertices = [(wiring.sources[layer.name], wiring.targets[layer.name]) for layer in layers]
        found = network_leverages(scores, vertices, wiring.vertices, wiring.skips if skip == "unit" else [])
    return [leverage.cpu().numpy() for leverage in found]


def edge_weights(
    layers: Sequence[Layer], leverages: list[np.ndarray], count: int, notes: Notes, scope: Scope
) -> np.ndarray:
    """q_e = 5 ln(n) l_e of every weight, float64 [N]; at least `count` are positive. With one n for all layers it is left out."""
    weights = np.empty(sum(leverage.size for leverage in leverages))
    parts = np.split(weights, np.cumsum([leverage.size for leverage in leverages])[:-1])
    for leverage, part in zip(leverages, parts, strict=True):
        rows, out = leverage.reshape(len(leverage), -1), part.reshape(len(leverage), -1)
        if scope == "global":
            out[:] = rows
        else:
            sampling_weight(rows, out)
    missing = count - int(np.count_nonzero(weights != 0))
    notes["filled"] = max(missing, 0)
    if missing > 0:
        for layer, part in zip(layers, parts, strict=True):
            part[layer.available.cpu().numpy().ravel() & (part == 0)] = FILLER
    return weights
