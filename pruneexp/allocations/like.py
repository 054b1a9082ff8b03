"""The counts of another method."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy as np
import torch

from pruneexp.components.options import component
from pruneexp.components.values import Count
from pruneexp.errors import UserError
from pruneexp.layers import Layer


class KeptBy(Protocol):
    """The masks, by weight name, that a scorer and a masker give the network at the cell's density, with the cell's seed."""

    def __call__(self, scorer: Any, masker: Any, rounds: int, round_counts: str) -> Mapping[str, torch.Tensor]: ...


@component("allocation", needs_scores=False)
def like(
    layers: Sequence[Layer],
    count: int,
    kept_by: KeptBy,
    scorer: Callable[..., Any],
    masker: Callable[..., Any],
    rounds: Count = 1,
    round_counts: Literal["nearest", "up", "down"] = "nearest",
) -> np.ndarray:
    """Of each layer as many weights as another scorer and masker keep of it: how many, without which.

    They prune the network that the cell's own method prunes, at its density and with its seed, so that the counts are those of the
    cell with that scorer and masker. Its treatments have no part in them.

    Args:
        layers: the network's prunable weights.
        count: of the whole network.
        kept_by: makes the masks.
        scorer, masker: the other method, each a component as in conf/scorer and conf/masker.
        rounds, round_counts: of the other method, as the options of these names.

    Returns:
        int64 [layers].

    Raises:
        UserError: what the scorer and the masker raise, or a masker with a number of its own, such as one that removes neurons.
    """
    masks = kept_by(scorer, masker, rounds, round_counts)
    counts = np.array([int(masks[layer.name].sum()) for layer in layers], dtype=np.int64)
    if counts.sum() != count:
        raise UserError(
            f"allocation.masker keeps {counts.sum()} weights by a rule of its own, and the density asks for {count}: take one that keeps"
            " the number asked for, such as greedy_global."
        )
    return counts
