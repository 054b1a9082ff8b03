"""Masks that are graphs of their own, drawn or built without looking at a score: what their maskers share."""

from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse as sp
import torch

from pruneexp.errors import UserError
from pruneexp.layers import Layer


def sides(layer: Layer) -> tuple[int, int]:
    """Rows and columns of the layer's unfolded weight: outputs C_out and inputs C_in K_h K_w."""
    return layer.score.shape[0], layer.size // layer.score.shape[0]


def masks_of_graphs(
    layers: Sequence[Layer], name: str, graph: Callable[[int, Layer], sp.sparray | None]
) -> dict[str, torch.Tensor]:
    """Masks by weight name from each layer's matrix [C_out, C_in K_h K_w]; None keeps the layer dense.

    Raises:
        UserError: an earlier round has pruned weights, which a graph of its own could bring back.
    """
    masks = {}
    for k, layer in enumerate(layers):
        if not bool(layer.available.all()):
            raise UserError(
                f"{name} builds graphs of its own and goes on from no pruned weights: it goes with rounds=1 and no masks on."
            )
        matrix = graph(k, layer)
        dense = np.ones(sides(layer), dtype=bool) if matrix is None else matrix.toarray() != 0
        masks[layer.name] = torch.from_numpy(dense.reshape(layer.score.shape))
    return masks


def seeded(generator: torch.Generator) -> np.random.Generator:
    """numpy's random stream, started from torch's."""
    return np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
