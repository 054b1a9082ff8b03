"""A recipe: optimiser, schedule, epochs and augmentation."""

import math
from dataclasses import dataclass

from pruneexp.errors import UserError


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: SGD on cross-entropy, the learning rate falling in steps.

    Attributes:
        epochs: passes over the training images.
        batch_size: images per optimiser step; the last batch of an epoch may be smaller.
        lr: initial learning rate.
        momentum: of SGD.
        weight_decay: L2 penalty on every parameter (added to the gradient, as in PyTorch's SGD).
        milestones: epochs at whose start the learning rate is multiplied by `gamma`.
        gamma: see `milestones`.
        flip: mirror each training image with probability 1/2.
        shift: move each training image by up to this many pixels in each direction, black coming in.
        resized_crop: cut a random part (area 0.1-1 of the image, width/height 0.8-1.25), resized to the whole.
        train_images: train on this many images only (0: all), a subset drawn by the seed.
        test_images: test on this many images only (0: all), the first ones.
    """

    epochs: int
    batch_size: int
    lr: float
    momentum: float = 0.9
    weight_decay: float = 0.0
    milestones: tuple[int, ...] = ()
    gamma: float = 0.1
    flip: bool = False
    shift: int = 0
    resized_crop: bool = False
    train_images: int = 0
    test_images: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "milestones", tuple(self.milestones))
        for field in ("epochs", "batch_size"):
            if getattr(self, field) < 1:
                raise UserError(f"recipe.{field} must be at least 1, got {getattr(self, field)}.")
        for field in ("momentum", "weight_decay", "shift", "train_images", "test_images"):
            if not getattr(self, field) >= 0:
                raise UserError(f"recipe.{field} must not be negative, got {getattr(self, field)}.")
        for field in ("lr", "gamma"):
            if not 0 < getattr(self, field) < math.inf:
                raise UserError(f"recipe.{field} must be positive and finite, got {getattr(self, field)}.")

    def learning_rate(self, epoch: int) -> float:
        """The learning rate in epoch 0, 1, ..."""
        return self.lr * self.gamma ** sum(epoch >= milestone for milestone in self.milestones)
