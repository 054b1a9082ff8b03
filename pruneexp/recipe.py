"""A recipe: optimiser, schedule, epochs and augmentation."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from pruneexp.components.options import component
from pruneexp.components.values import Count, Natural, NonNegative, Positive, Words
from pruneexp.errors import UserError

Alpha = Annotated[float, Field(ge=0, le=1000)]
LEAST_ALPHA = 0.001  # far below it both of the gamma variates of which Beta's are made vanish in float32


@component("recipe", name="sgd")
@dataclass(frozen=True)
class Recipe:
    """How a network is trained on cross-entropy: by SGD, Adam or AdamW, the learning rate falling in steps or along a cosine.

    Attributes:
        epochs: passes over the training images.
        batch_size: images per optimiser step; the last batch of an epoch may be smaller.
        lr: initial learning rate, after the warm-up if there is one.
        optimiser: ``sgd``, ``adam`` (Kingma & Ba 2015) or ``adamw`` (Loshchilov & Hutter 2019), with PyTorch's betas and epsilon.
        momentum: of SGD; beside another optimiser only the default, which then means nothing.
        weight_decay: L2 penalty on every parameter, added to the gradient as in PyTorch's SGD and Adam; with ``adamw`` every parameter
            is multiplied by 1 - learning rate x weight_decay in each step instead.
        milestones: epochs at whose start the learning rate is multiplied by `gamma`.
        gamma: see `milestones`.
        schedule: ``steps``, or ``cosine``: lr (1 + cos(pi epoch / epochs)) / 2 (Loshchilov & Hutter 2017, no restart), both epochs counted
            from the warm-up's end.
        warmup_epochs: in so many epochs, the first, the learning rate rises linearly, from lr / (warmup_epochs + 1) at their start to lr at
            their end (Goyal et al. 2017, section 2.2).
        lr_interval: the learning rate is set at the start of each ``epoch``, so that a warm-up has as many steps as epochs and the last
            epoch the cosine's rate at its start, or before each ``step``, so that a cosine falls to zero at the end of the last epoch;
            the history has that of each epoch's first step.
        frozen_epochs: in so many epochs, the first, only the classifier (`pruneexp.network.prunable.classifier`) is trained; the
            other weights and the BatchNorm statistics stay.
        label_smoothing: share of the training target that is spread evenly over the classes (Szegedy et al. 2016).
        mixup: train on mixtures of two images and their labels (`pruneexp.data.mixing`), of shares drawn from Beta(mixup, mixup); 0: never.
        cutmix: train on images with a rectangle of another, its share of the area drawn from Beta(cutmix, cutmix); 0: never. Beside `mixup`
            one of the two is drawn for each batch.
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
    optimiser: Literal["sgd", "adam", "adamw"] = "sgd"
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: NonNegative = 0.0
    milestones: Annotated[tuple[Natural, ...], Words("a list of epochs such as [80,120]")] = ()
    gamma: Positive = 0.1
    schedule: Literal["steps", "cosine"] = "steps"
    warmup_epochs: Natural = 0
    lr_interval: Literal["epoch", "step"] = "epoch"
    frozen_epochs: Natural = 0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    mixup: Alpha = 0.0
    cutmix: Alpha = 0.0
    flip: bool = False
    shift: Annotated[int, Field(ge=0, le=128)] = 0
    resized_crop: bool = False
    crop: Literal["cut", "redrawn"] = "cut"
    train_images: Natural = 0
    test_images: Natural = 0

    def __post_init__(self) -> None:
        self._check_learning_rate()
        if self.optimiser != "sgd" and self.momentum != Recipe.momentum:
            raise UserError(
                f"recipe.momentum is SGD's, and recipe.optimiser={self.optimiser} has betas of its own: leave recipe.momentum out."
            )
        if self.frozen_epochs > self.epochs:
            raise UserError(
                f"recipe.frozen_epochs must be at most the {self.epochs} epochs there are, got {self.frozen_epochs}."
            )
        for name, alpha in (("mixup", self.mixup), ("cutmix", self.cutmix)):
            if 0 < alpha < LEAST_ALPHA:
                raise UserError(f"recipe.{name} must be 0, for never, or at least {LEAST_ALPHA}, got {alpha}.")
            if alpha and self.batch_size == 1:
                raise UserError(
                    f"recipe.{name} mixes the images of a batch, of which recipe.batch_size=1 has one: take larger batches."
                )
        if self.resized_crop and self.shift:
            raise UserError("recipe.resized_crop and recipe.shift exclude each other: set recipe.shift=0.")
        if self.crop == "redrawn" and not self.resized_crop:
            raise UserError("recipe.crop=redrawn says how a resized crop is drawn: set recipe.resized_crop=true.")

    def _check_learning_rate(self) -> None:
        if self.schedule == "cosine" and self.milestones:
            raise UserError("recipe.schedule=cosine has no milestones: set recipe.milestones=[].")
        if self.warmup_epochs >= self.epochs:
            raise UserError(
                f"recipe.warmup_epochs must be below recipe.epochs={self.epochs}, got {self.warmup_epochs}."
            )
        if (first := min(self.milestones, default=self.warmup_epochs)) < self.warmup_epochs:
            raise UserError(
                f"recipe.milestones must be at least recipe.warmup_epochs={self.warmup_epochs}, when the warm-up ends, got {first}."
            )
        if self.lr_interval == "step" and self.schedule == "steps" and not self.warmup_epochs:
            raise UserError(
                "recipe.lr_interval=step changes nothing without a cosine or a warm-up: set recipe.schedule=cosine or recipe.warmup_epochs."
            )

    def learning_rate(self, epoch: float) -> float:
        """The learning rate in epoch 0, 1, ..., or after so many epochs and a part of the next."""
        if epoch < self.warmup_epochs:
            return self.lr * (epoch + 1) / (self.warmup_epochs + 1)
        if self.schedule == "cosine":
            after = epoch - self.warmup_epochs
            return self.lr * (1 + math.cos(math.pi * after / (self.epochs - self.warmup_epochs))) / 2
        return self.lr * self.gamma ** sum(epoch >= milestone for milestone in self.milestones)
