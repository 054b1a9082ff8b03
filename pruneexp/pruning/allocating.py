"""How many weights of each layer an allocation has stay, checked."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from pruneexp.allocations.like import KeptBy
from pruneexp.allocations.proportional import in_proportion
from pruneexp.components.component import Component
from pruneexp.components.values import shown
from pruneexp.errors import UserError
from pruneexp.layers import Layers, Notes, capacities, kept_count

SOME = 1e-6  # share of a layer that keeps nothing in the end
Counts = Callable[[Layers, float, Notes], np.ndarray]  # of layers at a density, int64 [layers]


def counting(allocation: Component | None, kept_by: KeptBy, last: float) -> Counts | None:
    """An allocation as a function of what is pruned; None where there is none.

    One that looks at scores is asked in each round. The numbers of any other are those of the last round, and rounds before it keep in
    proportion to them, none of a layer's weights less than it keeps in the end.

    Args:
        allocation: gives the numbers.
        kept_by: the masks of another scorer and masker in so many rounds, at the density of the last round.
        last: density of the last round.
    """
    if allocation is None:
        return None
    in_the_end: list[np.ndarray] = []

    def asked(layers: Layers, density: float, notes: Notes) -> np.ndarray:
        offered = {"layers": layers, "count": kept_count(layers, density), "density": density}
        return checked(allocation.label, allocation.call(**offered, notes=notes, kept_by=kept_by), layers)

    def counts(layers: Layers, density: float, notes: Notes) -> np.ndarray:
        if allocation.about.needs_scores:
            return asked(layers, density, notes)
        if not in_the_end:
            in_the_end.append(asked(layers, last, notes))
        (least,) = in_the_end
        if density == last:
            return checked(allocation.label, least, layers)
        return in_proportion(layers, kept_count(layers, density), np.maximum(least, SOME), least)

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
