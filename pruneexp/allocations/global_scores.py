"""The counts of the highest scores of the whole network."""

from collections.abc import Sequence

import numpy as np

from pruneexp.components.options import component
from pruneexp.layers import Layer, highest, ranking


@component("allocation", name="global")
def global_scores(layers: Sequence[Layer], count: int) -> np.ndarray:
    """Of each layer as many weights as it has among the `count` highest scores of all, ties broken by index.

    A layer may get none.

    Args:
        layers: with their scores.
        count: of the whole network.

    Returns:
        int64 [layers].
    """
    chosen = highest(np.concatenate(ranking(layers)), count)
    ends = np.cumsum([layer.size for layer in layers])[:-1]
    return np.array([np.count_nonzero(part) for part in np.split(chosen, ends)], dtype=np.int64)
