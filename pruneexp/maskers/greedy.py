"""Greedy: keep the highest scores (the baseline of Laenen 2023; MagPrune where the scores are magnitudes)."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

from pruneexp.components.options import component
from pruneexp.maskers.layer import Layer, Notes, apportion, capacities, kept_count, split
from pruneexp.maskers.sparsify import inclusion, layer_leverages


@component("masker")
def greedy(
    layers: Sequence[Layer],
    density: float,
    generator: torch.Generator,
    notes: Notes,
    scope: Literal["layerwise", "global", "matched"] = "layerwise",
) -> dict[str, torch.Tensor]:
    """Masks that keep the round(density * N) highest scores, ties broken by index.

    Args:
        layers: the network's prunable weights with their scores.
        density: kept / prunable weights.
        generator: not used, greedy draws nothing.
        notes: with ``matched`` receives what Sparsify reports.
        scope: ``layerwise`` the same density in every layer (Laenen's Greedy); ``global`` the highest of the whole
            network (MagPrune of Laenen, figure 3); ``matched`` in each layer as many as Sparsify would take in
            expectation, which isolates the choice of edges from the choice of counts.

    Returns:
        bool mask by weight name.

    Raises:
        UserError: scope or density not allowed.
    """
    count = kept_count(layers, density)
    ranking = [
        np.where(layer.available.cpu().numpy(), layer.score.cpu().double().numpy(), -np.inf).ravel() for layer in layers
    ]
    if scope == "global":
        return split(highest(np.concatenate(ranking), count), layers)
    capacity = capacities(layers)
    if scope == "layerwise":
        shares = capacity * (count / capacity.sum())
    else:
        leverages = layer_leverages(layers, "layerwise", "channel", "none")
        shares = np.array([p.sum() for p in inclusion(layers, leverages, count, notes)])
    counts = apportion(shares, capacity)
    chosen = [highest(scores, int(keep)) for scores, keep in zip(ranking, counts, strict=True)]
    return split(np.concatenate(chosen), layers)


def highest(scores: np.ndarray, count: int) -> np.ndarray:
    """Bool [n]: the `count` largest of `scores` [n], of equals the ones with the lowest index."""
    if count == 0:
        return np.zeros(len(scores), dtype=bool)
    threshold = np.partition(scores, len(scores) - count)[len(scores) - count]
    chosen = scores > threshold
    tied = np.flatnonzero(scores == threshold)[: count - np.count_nonzero(chosen)]
    chosen[tied] = True
    return chosen
