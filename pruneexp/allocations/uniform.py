"""The same density in every layer."""

import math
from collections.abc import Sequence

import numpy as np

from pruneexp.allocations.proportional import of_shapes
from pruneexp.components.options import component
from pruneexp.layers import Layer


@component("allocation", needs_scores=False)
def uniform(layers: Sequence[Layer], count: int) -> np.ndarray:
    """Counts in proportion to the layers' sizes.

    Args:
        layers: with what earlier rounds left available.
        count: of the whole network.

    Returns:
        int64 [layers].
    """
    return of_shapes(layers, count, share)


def share(shape: tuple[int, ...]) -> float:
    """The number of a layer's weights."""
    return math.prod(shape)
