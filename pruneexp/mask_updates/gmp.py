"""Gradual magnitude pruning: a dense network loses its smallest weights while it trains.

Zhu & Gupta 2017, "To prune, or not to prune: exploring the efficacy of pruning for model compression", section 3, equation 1.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field

from pruneexp.components.options import component
from pruneexp.components.values import Count
from pruneexp.errors import UserError
from pruneexp.mask_updates.exchange import ROUNDING, Until, ranked
from pruneexp.mask_updates.update import Moment, Weight
from pruneexp.network.masks import Masks, everything


@component("mask_update", name="gmp")
@dataclass(frozen=True)
class GMP:
    """Masks that begin with all weights and end with the masker's count of each layer, along a cubic.

    Of the training's T steps t_0 = round(begin T) are made first. After t = t_0 + i interval of them, i = 1 ... n, each layer keeps the
    largest |w| of those that it has left, so that its sparsity is s_i = s_f + (s_0 - s_f) (1 - i/n)^3, with s_0 = 0 and the sparsity s_f
    of the masker's mask, as a whole number of weights; of equal |w| the first in the layer stay. n is the largest number with
    t_0 + n interval <= until T, and with a step after it. Only how many the masker keeps in each layer matters, not which. An
    update comes after an optimiser's step. A pruned weight never comes back; in the authors' code (TensorFlow's model_pruning) it keeps
    its value behind the mask, and returns where others have become smaller.

    Attributes:
        interval: steps from one update to the next.
        begin: share of the training's steps before the schedule.
        until: share of the training's steps at which it has ended.
    """

    replaces = False
    shrinks = True

    interval: Count = 100
    begin: Annotated[float, Field(ge=0, lt=1)] = 0.0
    until: Until = 0.75

    def __post_init__(self) -> None:
        if self.begin >= self.until:
            raise UserError(
                f"mask_update.begin must be below mask_update.until={self.until}, as the share of the training at which the pruning ends,"
                f" got {self.begin}."
            )

    def start(self, masks: Masks) -> Masks:
        return everything(masks)

    def times(self, steps: int) -> range:
        last = min(int(self.until * steps + ROUNDING), steps - 1)
        return range(round(self.begin * steps) + self.interval, last + 1, self.interval)

    def left(self, size: int, count: int, number: int, updates: int) -> int:
        return round(size - (size - count) * (1 - (1 - number / updates) ** 3))

    def mask(self, weight: Weight, moment: Moment, generator: torch.Generator) -> torch.Tensor:
        count = self.left(weight.value.numel(), weight.count, moment.number, moment.updates)
        largest = ranked(weight.value.detach().abs(), weight.kept, descending=True)[:count]
        return torch.zeros_like(weight.kept).flatten().index_fill(0, largest, True).view(weight.kept.shape)
