"""What SET and RigL have in common: the smallest weights of each layer give way to as many others."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field

from pruneexp.components.values import Count
from pruneexp.mask_updates.update import Moment, Weight
from pruneexp.network.masks import Masks

Within = Annotated[float, Field(gt=0, lt=1)]
Until = Annotated[float, Field(gt=0, le=1)]
ROUNDING = 1e-9  # of a step: shares of steps that are whole numbers on paper


@dataclass(frozen=True)
class Exchange(ABC):
    """Updates that leave each layer as many weights as the masker does.

    After t = interval, 2 interval, ... of the training's T steps, while t < T_end = until T, the k smallest |w| of each layer's n kept
    weights are dropped, k = floor(f(t) n) with f(t) = drop/2 (1 + cos(pi t / T_end)), and k others grow among those that were not kept
    and those that were just dropped (Evci et al. 2020, section 3 and Algorithm 1). A weight that is new starts at zero, with zero
    momentum; one that is dropped and grown at once stays as it was. Of equal ones the first in the layer counts as the smaller when
    weights are dropped, and goes first when they grow. A layer that is not trained, such as a frozen one, stays as it is.

    Attributes:
        interval: steps from one update to the next.
        until: share of the training's steps before whose end updates are made.
        drop: share of a layer's weights that an update at the start would exchange.
    """

    shrinks = False

    interval: Count = 100
    until: Until = 0.75
    drop: Within = 0.3

    def start(self, masks: Masks) -> Masks:
        return masks

    def times(self, steps: int) -> range:
        return range(self.interval, math.ceil(self.until * steps - ROUNDING), self.interval)

    def left(self, size: int, count: int, number: int, updates: int) -> int:
        return count

    def mask(self, weight: Weight, moment: Moment, generator: torch.Generator) -> torch.Tensor:
        worth = self.worth(weight, generator)
        share = self.drop / 2 * (1 + math.cos(math.pi * moment.done / (self.until * moment.steps)))
        if worth is None or not weight.value.requires_grad:
            return weight.kept
        return exchanged(weight.kept, weight.value.detach().abs(), worth, int(share * weight.count))

    @abstractmethod
    def worth(self, weight: Weight, generator: torch.Generator) -> torch.Tensor | None:
        """Of each of a layer's weights, same shape and device: the highest grow first; None where nothing can."""


def exchanged(kept: torch.Tensor, size: torch.Tensor, worth: torch.Tensor, k: int) -> torch.Tensor:
    """`kept` less its k entries of the smallest size, and more by the k entries of the highest worth among those then outside.

    Args:
        kept: bool, with at least k entries True.
        size, worth: of the same shape; even if they are not finite the count stays.
    """
    left = kept.flatten().index_fill(0, ranked(size, kept)[:k], False)
    return left.index_fill(0, ranked(worth, ~left, descending=True)[:k], True).view(kept.shape)


def ranked(values: torch.Tensor, among: torch.Tensor, descending: bool = False) -> torch.Tensor:
    """The places in the flat tensor of the entries in `among`, by their values, those of equal ones in their order; after them all others.

    The host waits for nothing, and no value, such as one that is not a number, brings an entry before those in `among`.

    Args:
        values, among: of as many entries, the second bool.

    Returns:
        int64 [entries].
    """
    order = values.flatten().argsort(descending=descending, stable=True)
    return order[(~among.flatten())[order].byte().argsort(stable=True)]
