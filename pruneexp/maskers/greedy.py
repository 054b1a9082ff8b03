"""Greedy: keep the highest scores (the baseline of Laenen 2023; MagPrune where the scores are magnitudes)."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

from pruneexp.allocations.leverage import leverage
from pruneexp.components.options import component
from pruneexp.layers import Layer, Notes, apportion, capacities, highest, kept_count, ranking, split

MEANT = {"uniform": {"scope": "layerwise"}, "global": {"scope": "global"}, "leverage": {"scope": "matched"}}


@component("masker", meant=MEANT)
def greedy(
    layers: Sequence[Layer],
    density: float,
    generator: torch.Generator,
    notes: Notes,
    scope: Literal["layerwise", "global", "matched"] = "layerwise",
    counts: np.ndarray | None = None,
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
        counts: of an allocation, int64 [layers], in place of what the scope says.

    Returns:
        bool mask by weight name.

    Raises:
        UserError: scope or density not allowed.
    """
    count = kept_count(layers, density)
    scores = ranking(layers)
    if counts is None and scope == "global":
        return split(highest(np.concatenate(scores), count), layers)
    if counts is None and scope == "matched":
        counts = leverage(layers, count, notes)
    elif counts is None:
        capacity = capacities(layers)
        counts = apportion(capacity * (count / capacity.sum()), capacity)
    chosen = [highest(some, keep) for some, keep in zip(scores, counts.tolist(), strict=True)]
    return split(np.concatenate(chosen), layers)
