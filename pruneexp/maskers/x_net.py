"""X-Net masks: every filter reads the same number of random inputs (Prabhu, Varma & Namboodiri 2018)."""

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
import torch

from pruneexp.allocations.by_shape import MEANT, Allocation, allocate
from pruneexp.components.options import component
from pruneexp.graphs.ramanujan.random_biregular import even
from pruneexp.layers import Layer, Notes, kept_count
from pruneexp.maskers.structural import masks_of_graphs, seeded, sides


@component("masker", needs_scores=False, meant=MEANT)
def x_net(
    layers: Sequence[Layer],
    density: float,
    generator: torch.Generator,
    notes: Notes,
    allocation: Allocation = "uniform",
    counts: np.ndarray | None = None,
) -> dict[str, torch.Tensor]:
    """Keep exactly round(density * N) weights; in a layer each filter keeps as many, up to one, drawn without replacement.

    One side is regular, the other is not: "random left-regular graphs are expanders with high probability" (Prabhu et al., section
    3.1). Their convolutions keep or drop whole kernels; here an edge is a weight, as everywhere in this package.

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
    return masks_of_graphs(layers, "x_net", lambda k, layer: _left_regular(*sides(layer), int(numbers[k]), rng))


def _left_regular(rows: int, columns: int, edges: int, rng: np.random.Generator) -> sp.csr_array:
    """Each row's share of the edges, at its smallest random numbers."""
    degrees = even(edges, rows, rng)
    order = rng.random((rows, columns), dtype=np.float32).argsort(axis=1)
    taken = np.arange(columns) < degrees[:, None]
    row = np.repeat(np.arange(rows), degrees)
    return sp.csr_array((np.ones(edges), (row, order[taken])), shape=(rows, columns))
