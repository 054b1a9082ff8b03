"""Random masks: the density of each layer is given, the weights in it are not."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

from pruneexp.allocations.by_shape import MEANT, Allocation, allocate
from pruneexp.allocations.er_published import er_published
from pruneexp.components.options import component
from pruneexp.layers import Layer, Notes, kept_count, split


@component("masker", needs_scores=False, meant=MEANT | {"er_published": {"allocation": "er_published"}})
def random_layers(
    layers: Sequence[Layer],
    density: float,
    generator: torch.Generator,
    notes: Notes,
    allocation: Literal[Allocation, "er_published"] = "erk",
    counts: np.ndarray | None = None,
) -> dict[str, torch.Tensor]:
    """Keep exactly round(density * N) weights, in each layer `allocate`'s number, drawn uniformly without replacement.

    Of ``er_published`` alone the number is that of its rule (`pruneexp.allocations.er_published`), and the record's density
    says what it comes to: made up to round(density * N) in its own proportions it would be ``erk``.

    Args:
        layers: whose scores do not matter.
        density: kept / prunable weights.
        generator: the random stream of the draw.
        notes: nothing to report.
        allocation: ``uniform``, ``er``, ``erk`` or ``vertices`` (see `allocate`), or ``er_published``. Note that "uniform" in the tables
            of Cunegatti et al. is random over all the network's weights, whose layers' densities vary a little around the same.
        counts: of an allocation, int64 [layers], in place of what the option says.

    Returns:
        bool mask by weight name.

    Raises:
        UserError: density or allocation not allowed.
    """
    total = kept_count(layers, density)
    if counts is None:
        counts = er_published(layers, density) if allocation == "er_published" else allocate(layers, total, allocation)
    rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
    chosen = []
    for layer, count in zip(layers, counts.tolist(), strict=True):
        flat = np.zeros(layer.size, dtype=bool)
        flat[rng.choice(np.flatnonzero(layer.available.cpu().numpy()), count, replace=False, shuffle=False)] = True
        chosen.append(flat)
    return split(np.concatenate(chosen), layers)
