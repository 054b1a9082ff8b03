"""A recipe: optimiser, schedule, epochs and augmentation."""

import math
from dataclasses import dataclass
from typing import Literal

from pruneexp.errors import UserError, real_number, whole_number

WHOLE = {
    "epochs": 1,
    "batch_size": 1,
    "shift": 0,
    "frozen_epochs": 0,
    "train_images": 0,
    "test_images": 0,
}  # and their least


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
        frozen_epochs: in so many epochs, the first, only the classifier (`pruneexp.layers.classifier`) is trained; the
            other weights and the BatchNorm statistics stay.
        label_smoothing: share of the training target that is spread evenly over the classes (Szegedy et al. 2016).
        flip: mirror each training image with probability 1/2.
        shift: move each training image by up to this many pixels in each direction, black coming in.
        resized_crop: cut a random part (area 0.1-1 of the image, width/height 0.8-1.25), resized to the whole.
        train_images: train on at most this many images (0: all), a subset drawn by the seed.
        test_images: test on at most this many images (0: all), the first ones.
    """

    epochs: int
    batch_size: int
    lr: float
    momentum: float = 0.9
    weight_decay: float = 0.0
    milestones: tuple[int, ...] = ()
    gamma: float = 0.1
    schedule: Literal["steps", "cosine"] = "steps"
    frozen_epochs: int = 0
    label_smoothing: float = 0.0
    flip: bool = False
    shift: int = 0
    resized_crop: bool = False
    train_images: int = 0
    test_images: int = 0

    def __post_init__(self) -> None:
        for name, least in WHOLE.items():
            whole_number(f"recipe.{name}", getattr(self, name), least)
        for name in ("lr", "gamma", "momentum", "weight_decay", "label_smoothing"):
            real_number(f"recipe.{name}", getattr(self, name), positive=name in ("lr", "gamma"))
        for name in ("flip", "resized_crop"):
            if not isinstance(getattr(self, name), bool):
                raise UserError(f"recipe.{name} must be true or false, got {getattr(self, name)}.")
        if isinstance(self.milestones, (int, float, str)):
            raise UserError(f"recipe.milestones must be a list of epochs such as [80,120], got {self.milestones!r}.")
        object.__setattr__(self, "milestones", tuple(self.milestones))
        for milestone in self.milestones:
            whole_number("recipe.milestones", milestone, 0)
        if self.schedule not in ("steps", "cosine"):
            raise UserError(f"recipe.schedule must be steps or cosine, got {self.schedule!r}.")
        if self.schedule == "cosine" and self.milestones:
            raise UserError("recipe.schedule=cosine has no milestones: set recipe.milestones=[].")
        if self.frozen_epochs > self.epochs:
            raise UserError(
                f"recipe.frozen_epochs must be at most the {self.epochs} epochs there are, got {self.frozen_epochs}."
            )
        if self.label_smoothing >= 1:
            raise UserError(f"recipe.label_smoothing must be at least 0 and below 1, got {self.label_smoothing}.")
        if self.resized_crop and self.shift:
            raise UserError("recipe.resized_crop and recipe.shift exclude each other: set recipe.shift=0.")

    def learning_rate(self, epoch: int) -> float:
        """The learning rate in epoch 0, 1, ..."""
        if self.schedule == "cosine":
            return self.lr * (1 + math.cos(math.pi * epoch / self.epochs)) / 2
        return self.lr * self.gamma ** sum(epoch >= milestone for milestone in self.milestones)
