"""The allocations that a layer's shape decides, by name: of maskers that take one of them for their own rule."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from pruneexp.allocations import er, erk, proportional, uniform, vertices
from pruneexp.layers import Layer

Allocation = Literal["uniform", "er", "erk", "vertices"]
SHARES = {"uniform": uniform.share, "er": er.share, "erk": erk.share, "vertices": vertices.share}
MEANT = {name: {"allocation": name} for name in SHARES}  # what a masker with an option `allocation` says itself


def allocate(
    layers: Sequence[Layer], count: int, allocation: Allocation, least: np.ndarray | None = None
) -> np.ndarray:
    """Whole numbers summing to `count`, in proportion to an allocation's shares (`proportional.in_proportion`), int64 [layers]."""
    return proportional.of_shapes(layers, count, SHARES[allocation], least)
