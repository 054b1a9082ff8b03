"""Erdos-Renyi-kernel densities (Evci et al. 2020)."""

from collections.abc import Sequence

import numpy as np

from pruneexp.allocations.proportional import of_shapes
from pruneexp.components.options import component
from pruneexp.layers import Layer


@component("allocation", needs_scores=False)
def erk(layers: Sequence[Layer], count: int) -> np.ndarray:
    """Densities in proportion to (C_in + C_out + K_h + K_w) / (C_in C_out K_h K_w) (Evci et al. 2020, section 3).

    Args:
        layers: with what earlier rounds left available.
        count: of the whole network.

    Returns:
        int64 [layers].
    """
    return of_shapes(layers, count, share)


def share(shape: tuple[int, ...]) -> float:
    """C_in + C_out + K_h + K_w of a weight [C_out, C_in, K_h, K_w]."""
    out, into, *kernel = shape
    return into + out + sum(kernel)
