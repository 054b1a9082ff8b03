"""How many weights of each layer an allocation has stay, checked."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from pruneexp.components.component import Component
from pruneexp.components.values import shown
from pruneexp.errors import UserError
from pruneexp.layers import Layers, Notes, capacities, kept_count
from pruneexp.network.masks import Masks
from pruneexp.pruning.target import Target

Counts = Callable[[Target, Layers, float, Notes], np.ndarray]  # of a target's layers at a density, int64 [layers]
KeptBy = Callable[[Target, float, Any, Any, int, str], Masks]  # another scorer's and masker's, in so many rounds


def counting(allocation: Component | None, kept_by: KeptBy) -> Counts | None:
    """An allocation as a function of what is pruned; None where there is none.

    Args:
        allocation: gives the numbers.
        kept_by: the masks of another scorer and masker.
    """
    if allocation is None:
        return None

    def counts(target: Target, layers: Layers, density: float, notes: Notes) -> np.ndarray:
        def by(scorer: Any, masker: Any, rounds: int, round_counts: str) -> Masks:
            return kept_by(target, density, scorer, masker, rounds, round_counts)

        offered = {"layers": layers, "count": kept_count(layers, density), "density": density}
        return checked(allocation.label, allocation.call(**offered, notes=notes, kept_by=by), layers)

    return counts


def checked(name: str, counts: Any, layers: Layers) -> np.ndarray:
    """An allocation's numbers as int64 [layers].

    Raises:
        UserError: they are none, or a layer has not so many weights left.
    """
    found = np.asarray(counts)
    if found.shape != (len(layers),) or found.dtype.kind not in "iu":
        raise UserError(
            f"allocation={name} must give a whole number for each of the {len(layers)} layers, got {shown(counts)}."
        )
    for layer, count, most in zip(layers, found.tolist(), capacities(layers).tolist(), strict=True):
        if not 0 <= count <= most:
            raise UserError(
                f"allocation={name} has {layer.name} keep {count} weights, and it has {most} that may stay: take another density or"
                " allocation."
            )
    return found.astype(np.int64)


def check_kept(masks: Mapping[str, torch.Tensor], layers: Layers, counts: np.ndarray) -> None:
    """Raise UserError where masks keep another number of a layer's weights than the allocation has."""
    for layer, count in zip(layers, counts.tolist(), strict=True):
        if (kept := int(masks[layer.name].sum())) != count:
            raise UserError(f"the masker keeps {kept} weights of {layer.name}, where the allocation has {count}.")
