"""The counts of the highest scores of the whole network."""

from collections.abc import Sequence

import numpy as np

from pruneexp.components.options import component
from pruneexp.layers import Layer, highest, ranking, split


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
    masks = split(highest(np.concatenate(ranking(layers)), count), layers)
    return np.array([int(masks[layer.name].sum()) for layer in layers], dtype=np.int64)
