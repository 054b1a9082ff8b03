"""What training asks of a mask update."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch

from pruneexp.errors import UserError
from pruneexp.network.masks import Masks


@dataclass(frozen=True)
class Weight:
    """A layer's weight as an update finds it.

    Attributes:
        value: the parameter, zero where it is pruned.
        kept: bool, same shape.
        gradient: same shape, of pruned weights too; None where the update takes no step's place.
        count: how many of its weights the masker keeps.
    """

    value: torch.Tensor
    kept: torch.Tensor
    gradient: torch.Tensor | None
    count: int


@dataclass(frozen=True)
class Moment:
    """When an update is made.

    Attributes:
        done: steps of the training before it.
        steps: of the whole training.
        number: its own, from 1 on.
        updates: of the whole training.
    """

    done: int
    steps: int
    number: int
    updates: int


@runtime_checkable
class MaskUpdate(Protocol):
    """How the masks of a network change while it trains.

    Attributes:
        replaces: whether an update takes the place of an optimiser's step, whose gradients it is given; else it is made between two steps.
        shrinks: whether a training that is cut short is left with more weights than the masker keeps.
    """

    @property
    def replaces(self) -> bool: ...

    @property
    def shrinks(self) -> bool: ...

    def start(self, masks: Masks) -> Masks:
        """The masks that training begins with, of the masker's."""

    def times(self, steps: int) -> range:
        """After how many of a training's steps an update is made; each is followed by a step or takes its place."""

    def left(self, size: int, count: int, number: int, updates: int) -> int:
        """How many of a layer's `size` weights, of which the masker keeps `count`, are left after so many of the updates."""

    def mask(self, weight: Weight, moment: Moment, generator: torch.Generator) -> torch.Tensor:
        """The layer's new mask, bool in the weight's shape, on its device.

        Args:
            weight, moment: as they are.
            generator: a stream on the CPU of this update's own, which all layers draw from in turn.
        """


def check_times(update: MaskUpdate, steps: int) -> None:
    """Raise UserError where a training of so many steps makes no update."""
    if not update.times(steps):
        options = ", ".join(f"mask_update.{name}={value}" for name, value in vars(update).items())
        raise UserError(
            f"the masks would never change in the {steps} steps of this training with {options}: take a smaller mask_update.interval, or"
            " more epochs."
        )
