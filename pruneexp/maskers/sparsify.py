"""Sparsify: draw the mask by effective resistances (Laenen 2023, Algorithms 1 and 2)."""

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
from pruneexp.graphs.sampling import independent_then_fill, systematic
from pruneexp.graphs.sparsifier import epsilon
from pruneexp.maskers.layer import Layer, Notes, joined, kept_count, split
from pruneexp.maskers.trees import draw_with_trees

Scope = Literal["layerwise", "global"]
Join = Literal["channel", "disjoint"]
Skip = Literal["none", "identify", "unit"]


def _goes_together(scope: str, sampling: str, guarantee: str, **_: object) -> None:
    """Raise UserError for options that exclude each other."""
    if guarantee == "tree" and (scope, sampling) != ("layerwise", "systematic"):
        raise UserError("sparsify's guarantee=tree goes with scope=layerwise and sampling=systematic.")


@component("masker", together=_goes_together)
def sparsify(
    layers: Sequence[Layer],
    density: float,
    generator: torch.Generator,
    notes: Notes,
    sampling: Literal["systematic", "paper"] = "systematic",
    scope: Scope = "layerwise",
    join: Join = "channel",
    skip: Skip = "none",
    guarantee: Literal["none", "tree"] = "none",
    diagnose: bool = False,
) -> dict[str, torch.Tensor]:
    """Draw exactly round(density * N) weights with p_e = min(1, 5 ln(n) l_e eps).

    l_e is the leverage of weight e in a graph whose edge weights are the scores, n the graph's vertices; one eps for
    the whole network, so that a layer's share follows its vertices and not its weights. Where fewer weights than
    wanted have a positive score, all of those are kept and the rest is drawn uniformly from the zero-score weights
    that no earlier round pruned; ``notes["filled"]`` says how many. Training starts from the original weights:
    the sparsifier's reweighting w_e / p_e is not part of the mask.

    Args:
        layers: the network's prunable weights with their scores, non-negative.
        density: kept / prunable weights.
        generator: the random stream of the draw.
        notes: receives ``filled``, and what the options below report.
        sampling: ``systematic`` (exactly m edges, inclusion probability exactly p_e) or ``paper`` (slightly fewer
            than m independent draws, then uniformly random edges).
        scope: ``layerwise`` (each layer's bipartite graph, Algorithm 2) or ``global`` (the whole network's, Algorithm 1).
        join: for ``scope=global``: ``channel`` (a channel is one vertex, its kernel's weights parallel edges) or
            ``disjoint`` (unfolded inputs, no vertex shared: the layerwise leverages, with one n for all).
        skip: for ``join=channel``: an identity skip is no edge (``none``), makes its two channels one vertex
            (``identify``), or is an edge of weight one (``unit``).
        guarantee: ``tree`` puts a random spanning tree under each layer whose budget allows one (see `draw_with_trees`).
        diagnose: measure each layer's achieved sparsifier quality into ``notes["epsilon/<layer>"]`` (takes seconds).

    Returns:
        bool mask by weight name.

    Raises:
        UserError: density or an option not allowed, negative scores, layers that the graph cannot join.
    """
    _goes_together(scope, sampling, guarantee)
    count = kept_count(layers, density)
    leverages = layer_leverages(layers, scope, join, skip)
    weights = edge_weights(layers, leverages, count, notes, scope)
    rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
    flat = np.concatenate([weight.ravel() for weight in weights])
    p = inclusion_probabilities(flat, count)
    if sampling == "paper" and not notes["filled"]:  # else all positive scores are certain, and the rest is uniform
        chosen = independent_then_fill(flat, count, rng)
    elif guarantee == "tree":
        chosen = draw_with_trees(layers, leverages, p, count, rng, notes)
    else:
        chosen = systematic(p, rng)
    if diagnose:
        _diagnose(layers, p, chosen, notes)
    return split(chosen, layers)


def inclusion(layers: Sequence[Layer], leverages: list[np.ndarray], count: int, notes: Notes) -> list[np.ndarray]:
    """Layerwise Sparsify's p_e of every weight, float64 arrays shaped like the weights; together they sum to `count`."""
    weights = edge_weights(layers, leverages, count, notes, "layerwise")
    flat = inclusion_probabilities(np.concatenate([weight.ravel() for weight in weights]), count)
    parts = np.split(flat, np.cumsum([layer.size for layer in layers])[:-1])
    return [part.reshape(layer.score.shape) for part, layer in zip(parts, layers, strict=True)]


FILLER = 1e-200  # weight of a fill-in edge: certain never, and no other edge loses any probability to it


def layer_leverages(layers: Sequence[Layer], scope: Scope, join: Join, skip: Skip) -> list[np.ndarray]:
    """l_e of every weight, float64 arrays shaped like the weights.

    Raises:
        UserError: negative scores, layers that the graph cannot join.
    """
    scores = [torch.where(layer.available, layer.score, 0.0) for layer in layers]
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
) -> list[np.ndarray]:
    """q_e = 5 ln(n) l_e of every weight; at least `count` are positive. With one n for all layers it is left out."""
    if scope == "global":
        weights = [leverage.copy() for leverage in leverages]
    else:
        weights = [
            sampling_weight(leverage.reshape(len(leverage), -1)).reshape(leverage.shape) for leverage in leverages
        ]
    positive = sum(int(np.count_nonzero(weight)) for weight in weights)
    notes["filled"] = max(count - positive, 0)
    if count > positive:
        for layer, weight in zip(layers, weights, strict=True):
            weight[layer.available.cpu().numpy() & (weight == 0)] = FILLER
    return weights


def _diagnose(layers: Sequence[Layer], p: np.ndarray, chosen: np.ndarray, notes: Notes) -> None:
    """epsilon of each layer's reweighted draw w_e / p_e."""
    start = 0
    for layer in layers:
        part = slice(start, start := start + layer.size)
        score = torch.where(layer.available, layer.score, 0.0).cpu().double().numpy().ravel()
        drawn = np.divide(score, p[part], out=np.zeros_like(score), where=chosen[part])
        rows = layer.score.shape[0]
        if score.any():
            notes[f"epsilon/{layer.name}"] = epsilon(score.reshape(rows, -1), drawn.reshape(rows, -1))
