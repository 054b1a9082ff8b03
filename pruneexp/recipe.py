"""A recipe: optimiser, schedule, epochs and augmentation."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from pruneexp.components.options import component
from pruneexp.components.values import Count, Natural, NonNegative, Positive, Words
from pruneexp.errors import UserError


@component("recipe", name="sgd")
@dataclass(frozen=True)
class Recipe:
    """How a network is trained: SGD on cross-entropy, the learning rate falling in steps or along a cosine.

    Attributes:
        epochs: passes over the training images.
        batch_size: images per optimiser step; the last batch of an epoch may be smaller.
        lr: initial learning rate.
        momentum: of SGD.
        weight_decay: L2 penalty on every parameter (added to the gradient, as in PyTorch's SGD).
        milestones: epochs at whose start the learning rate is multiplied by `gamma`.
        gamma: see `milestones`.
        schedule: ``steps``, or ``cosine``: lr (1 + cos(pi epoch / epochs)) / 2 (Loshchilov & Hutter 2017, no restart).
        frozen_epochs: in so many epochs, the first, only the classifier (`pruneexp.network.prunable.classifier`) is trained; the
            other weights and the BatchNorm statistics stay.
        label_smoothing: share of the training target that is spread evenly over the classes (Szegedy et al. 2016).
        flip: mirror each training image with probability 1/2.
        shift: move each training image by up to this many pixels in each direction, black coming in.
        resized_crop: take a random part (area 0.1-1 of the image, width/height 0.8-1.25), resized to the whole.
        crop: what becomes of such a part where it is wider or higher than the image: ``cut`` to it, or ``redrawn``, as torchvision has it.
        train_images: train on at most this many images (0: all), a subset drawn by the seed.
        test_images: test on at most this many images (0: all), the first ones.
    """

    epochs: Count
    batch_size: Count
    lr: Positive
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: NonNegative = 0.0
    milestones: Annotated[tuple[Natural, ...], Words("a list of epochs such as [80,120]")] = ()
    gamma: Positive = 0.1
    schedule: Literal["steps", "cosine"] = "steps"
    frozen_epochs: Natural = 0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    flip: bool = False
    shift: Annotated[int, Field(ge=0, le=128)] = 0
    resized_crop: bool = False
    crop: Literal["cut", "redrawn"] = "cut"
    train_images: Natural = 0
    test_images: Natural = 0

    def __post_init__(self) -> None:
        if self.schedule == "cosine" and self.milestones:
            raise UserError("recipe.schedule=cosine has no milestones: set recipe.milestones=[].")
        if self.frozen_epochs > self.epochs:
            raise UserError(
                f"recipe.frozen_epochs must be at most the {self.epochs} epochs there are, got {self.frozen_epochs}."
            )
        if self.resized_crop and self.shift:
            raise UserError("recipe.resized_crop and recipe.shift exclude each other: set recipe.shift=0.")
        if self.crop == "redrawn" and not self.resized_crop:
            raise UserError("recipe.crop=redrawn says how a resized crop is drawn: set recipe.resized_crop=true.")

    def learning_rate(self, epoch: int) -> float:
        """The learning rate in epoch 0, 1, ..."""
        if self.schedule == "cosine":
            return self.lr * (1 + math.cos(math.pi * epoch / self.epochs)) / 2
        return self.lr * self.gamma ** sum(epoch >= milestone for milestone in self.milestones)
