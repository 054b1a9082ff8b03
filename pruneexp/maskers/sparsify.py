"""Sparsify: draw the mask by effective resistances (Laenen 2023, Algorithms 1 and 2)."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

from pruneexp.allocations.leverage import Join, Scope, Skip, edge_weights, layer_leverages
from pruneexp.components.options import component
from pruneexp.errors import UserError
from pruneexp.graphs.inclusion import inclusion_probabilities
from pruneexp.graphs.sampling import independent_then_fill, systematic
from pruneexp.graphs.sparsifier import epsilon
from pruneexp.layers import Layer, Notes, kept_count, split
from pruneexp.maskers.trees import draw_with_trees


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
    counts: np.ndarray | None = None,
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
        counts: of an allocation, int64 [layers]: each layer is drawn from by itself, with an eps of its own that makes up this number;
            of ``scope=global`` the leverages alone are then the whole network's.
        diagnose: measure each layer's achieved sparsifier quality into ``notes["epsilon/<layer>"]`` (takes seconds).

    Returns:
        bool mask by weight name.

    Raises:
        UserError: density or an option not allowed, negative scores, layers that the graph cannot join.
    """
    _goes_together(scope, sampling, guarantee)
    count = kept_count(layers, density)
    leverages = layer_leverages(layers, scope, join, skip)
    rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
    # one draw from all layers, or one from each
    parts = [slice(0, len(layers))] if counts is None else [slice(k, k + 1) for k in range(len(layers))]
    notes |= {"filled": 0} | ({"tree_layers": 0, "cover_layers": 0, "inexact_trees": 0} if guarantee == "tree" else {})
    p, chosen = [], []
    for part, wanted in zip(parts, [count] if counts is None else counts.tolist(), strict=True):
        some, found = layers[part], Notes()
        theirs = [leverages.pop(0) for _ in some]  # the next ones: let go of when the draw needs the room
        flat = edge_weights(some, theirs, wanted, found, scope)
        p.append(inclusion_probabilities(flat, wanted))
        if sampling == "paper" and not found["filled"]:  # else all positive scores are certain, and the rest is uniform
            chosen.append(independent_then_fill(flat, wanted, rng))
        elif guarantee == "tree":
            chosen.append(draw_with_trees(some, theirs, p[-1], wanted, rng, found))
        else:
            del flat, theirs  # each as large as the layers' weights in float64
            chosen.append(systematic(p[-1], rng))
        for name, number in found.items():
            notes[name] += number
    if diagnose:
        _diagnose(layers, np.concatenate(p), np.concatenate(chosen), notes)
    return split(np.concatenate(chosen), layers)


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
