"""Counts as Sparsify's budget goes where all scores are equal."""

import math
from collections.abc import Sequence

import numpy as np

from pruneexp.allocations.proportional import of_shapes
from pruneexp.components.options import component
from pruneexp.layers import Layer


@component("allocation", needs_scores=False)
def vertices(layers: Sequence[Layer], count: int) -> np.ndarray:
    """Counts in proportion to n ln n of each layer's n bipartite vertices, the size of its sparsifier (Laenen 2023, appendix A).

    Args:
        layers: with what earlier rounds left available.
        count: of the whole network.

    Returns:
        int64 [layers].
    """
    return of_shapes(layers, count, share)


def share(shape: tuple[int, ...]) -> float:
    """n ln n of a layer's n = C_out + C_in K_h K_w bipartite vertices."""
    out, *into = shape
    n = out + math.prod(into)
    return n * math.log(n)
