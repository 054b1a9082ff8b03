"""BSS: the deterministic twice-Ramanujan sparsifier as a mask."""

from collections.abc import Sequence

import numpy as np
import torch

from pruneexp.allocations.leverage import inclusion, layer_leverages
from pruneexp.components.options import component
from pruneexp.errors import UserError
from pruneexp.graphs.bipartite import components, sparse
from pruneexp.graphs.bss import bss_sparsifier
from pruneexp.layers import Layer, Notes, apportion, capacities, highest, kept_count, rounded_up, split

EXACT = 64 * 576  # weights up to which a layer's picks are made one at a time
UPDATES = 150  # barrier updates for a larger layer


@component("masker", meant={"leverage": {}})  # which is its own rule
def bss(
    layers: Sequence[Layer],
    density: float,
    generator: torch.Generator,
    notes: Notes,
    counts: np.ndarray | None = None,
) -> dict[str, torch.Tensor]:
    """Masks of the edges that Batson, Spielman & Srivastava's (2012) algorithm picks, layer by layer.

    Each layer gets as many weights as Sparsify takes from it in expectation, unless an
    allocation says how many. Layers of up to 64 x 576 weights are done
    exactly, one pick after another; larger ones in batches (about 150 barrier updates), which has no guarantee. Where
    zero scores leave a layer in several components, each is done by itself. An edge can be picked more than once: the
    places that leaves go to the highest leverages not picked. Nothing is random.

    Args:
        layers: the network's prunable weights with their scores, non-negative.
        density: kept / prunable weights.
        generator: not used.
        counts: of an allocation, int64 [layers].
        notes: receives ``batched_layers`` (not done exactly) and ``filled_edges`` (taken by leverage).

    Returns:
        bool mask by weight name.

    Raises:
        UserError: density not allowed, fewer weights for a layer than its graph has vertices, or scores that range too
            widely for the barriers.
    """
    count = kept_count(layers, density)
    leverages = layer_leverages(layers, "layerwise", "channel", "none")
    shares = counts
    if shares is None:
        shares = np.array([p.sum() for p in inclusion(layers, leverages, count, notes)])
    budget = apportion(shares, capacities(layers))
    available = [layer.available.cpu().numpy().ravel() for layer in layers]
    scores = [
        np.where(free, layer.score.cpu().double().numpy().ravel(), 0.0).reshape(len(layer.score), -1)
        for layer, free in zip(layers, available, strict=True)
    ]
    _refuse(layers, scores, shares, budget, count, counts is not None)
    notes |= {"batched_layers": 0, "filled_edges": 0}
    chosen = []
    for layer, score, free, leverage, keep in zip(layers, scores, available, leverages, budget.tolist(), strict=True):
        picked = score.ravel() > 0
        if keep < np.count_nonzero(picked):
            batch = 1 if layer.size <= EXACT else max(keep // UPDATES, 1)
            picked = _picked(score, keep, batch, layer.name).ravel()
            notes["batched_layers"] += batch > 1
        spare = keep - int(picked.sum())
        notes["filled_edges"] += spare
        chosen.append(picked | highest(np.where(free & ~picked, leverage.ravel(), -1.0), spare))
    return split(np.concatenate(chosen), layers)


def _refuse(
    layers: Sequence[Layer],
    scores: list[np.ndarray],
    shares: np.ndarray,
    budget: np.ndarray,
    count: int,
    allocated: bool,
) -> None:
    """Raise UserError for the layer that is furthest from a weight for each of its vertices."""
    vertices = np.array([int(score.any(axis=0).sum()) + int(score.any(axis=1).sum()) for score in scores])
    edges = np.array([np.count_nonzero(score) for score in scores])
    need = np.where(budget < np.minimum(vertices, edges), vertices / np.maximum(shares, 1e-9), 0.0)
    worst = int(need.argmax())
    if need[worst]:
        density = min(count / sum(layer.size for layer in layers) * need[worst], 1.0)
        way_out = "take a higher density or another allocation"
        way_out = way_out if allocated else f"use a density of about {rounded_up(density):g} or more"
        raise UserError(
            f"bss cannot keep {budget[worst]} of {layers[worst].name}'s weights: its graph has {vertices[worst]} vertices and"
            f" needs at least as many weights; {way_out}."
        )


def _picked(score: np.ndarray, keep: int, batch: int, name: str) -> np.ndarray:
    """At most `keep` edges of one layer: each component's vertices, and the rest by its share of the graph's space."""
    number, left, right = components(sparse(score))
    parts = [np.ix_(left == k, right == k) for k in range(number)]
    vertices = np.array([sum(score[part].shape) for part in parts])
    edges = np.array([np.count_nonzero(score[part]) for part in parts])
    shares = vertices + (keep - vertices.sum()) * (vertices - 1) / (vertices - 1).sum()
    counts = apportion(shares, np.full(number, keep))
    picked = np.zeros(score.shape, dtype=bool)
    for part, count, all_edges in zip(parts, counts.tolist(), edges.tolist(), strict=True):
        try:
            kept = score[part] if all_edges <= count else bss_sparsifier(score[part] / score[part].max(), count, batch)
        except np.linalg.LinAlgError:
            raise UserError(
                f"bss cannot sparsify {name}: its scores range too widely for the barriers to be computed; use sparsify."
            ) from None
        picked[part] = kept > 0
    return picked
