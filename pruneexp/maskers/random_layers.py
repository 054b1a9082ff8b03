"""Random masks: the density of each layer is given, the weights in it are not."""

from collections.abc import Sequence

import numpy as np
import torch

from pruneexp.components.options import component
from pruneexp.maskers.allocation import Allocation, allocate
from pruneexp.maskers.layer import Layer, Notes, kept_count, split


@component("masker", needs_scores=False)
def random_layers(
    layers: Sequence[Layer], density: float, generator: torch.Generator, notes: Notes, allocation: Allocation = "erk"
) -> dict[str, torch.Tensor]:
    """Keep exactly round(density * N) weights, in each layer `allocate`'s number, drawn uniformly without replacement.

    Args:
        layers: whose scores do not matter.
        density: kept / prunable weights.
        generator: the random stream of the draw.
        notes: nothing to report.
        allocation: ``uniform``, ``er``, ``erk`` or ``vertices`` (see `allocate`). Note that "uniform" in the tables of Cunegatti et
            al. is random over all the network's weights, whose layers' densities vary a little around the same.

    Returns:
        bool mask by weight name.

    Raises:
        UserError: density or allocation not allowed.
    """
    counts = allocate(layers, kept_count(layers, density), allocation)
    rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
    chosen = []
    for layer, count in zip(layers, counts.tolist(), strict=True):
        flat = np.zeros(layer.size, dtype=bool)
        flat[rng.choice(np.flatnonzero(layer.available.cpu().numpy()), count, replace=False, shuffle=False)] = True
        chosen.append(flat)
    return split(np.concatenate(chosen), layers)
