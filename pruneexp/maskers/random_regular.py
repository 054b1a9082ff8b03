"""Random regular masks: every filter with as many weights as the next, every input too."""

from collections.abc import Sequence

import numpy as np
import torch

from pruneexp.allocations.by_shape import MEANT, Allocation, allocate
from pruneexp.components.options import component
from pruneexp.graphs.ramanujan.random_biregular import random_biregular
from pruneexp.layers import Layer, Notes, kept_count
from pruneexp.maskers.structural import masks_of_graphs, seeded, sides


@component("masker", needs_scores=False, meant=MEANT)
def random_regular(
    layers: Sequence[Layer],
    density: float,
    generator: torch.Generator,
    notes: Notes,
    allocation: Allocation = "erk",
    counts: np.ndarray | None = None,
) -> dict[str, torch.Tensor]:
    """Keep exactly round(density * N) weights as random biregular graphs, degrees on each side differing by at most one.

    Args:
        layers: whose scores do not matter.
        density: kept / prunable weights.
        generator: the random stream of the draw.
        notes: nothing to report.
        allocation: each layer's number (see `allocate`).
        counts: of an allocation, int64 [layers], in place of what the option says.

    Returns:
        bool mask by weight name.

    Raises:
        UserError: density or allocation not allowed, or a round after the first.
    """
    count = kept_count(layers, density)
    numbers = allocate(layers, count, allocation) if counts is None else counts
    rng = seeded(generator)
    return masks_of_graphs(
        layers, "random_regular", lambda k, layer: random_biregular(*sides(layer), int(numbers[k]), rng)
    )
