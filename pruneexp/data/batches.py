"""The samples that scorers look at."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from pruneexp.errors import UserError


@dataclass(frozen=True)
class Batches:
    """Normalised training images for scoring, in a fixed random order drawn once per job.

    Attributes:
        images: float [n, C, H, W], unaugmented, or None where no data is at hand (data-free scorers need none).
        labels: int64 [n], or what else a loss takes, or None.
        input_shape: [C, H, W], or None.
        augment: (rows int64 [k], generator) -> those images augmented as the recipe does; None where there is no recipe.
        read: (count) -> at least so many images and their labels, as far as there are so many, of None all; in place of `images` and
            `labels` where they are read only when they are asked for.
        indices: int64 [1, ...], an input of a network that reads indices, such as words.
    """

    images: torch.Tensor | None = None
    labels: torch.Tensor | None = None
    input_shape: tuple[int, ...] | None = None
    augment: Callable[[torch.Tensor, torch.Generator], torch.Tensor] | None = None
    read: Callable[[int | None], tuple[torch.Tensor, torch.Tensor]] | None = None
    indices: torch.Tensor | None = None

    def one(self, value: float) -> torch.Tensor:
        """An input [1, ...] that is `value` everywhere, float64; of a network that reads indices the one that is known.

        Raises:
            UserError: the input's shape is not known.
        """
        if self.indices is not None:
            return self.indices
        if self.input_shape is None:
            raise UserError("this scorer needs the input's shape: pass example_input.")
        return torch.full((1, *self.input_shape), value, dtype=torch.float64)

    def at_hand(self, count: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Images and labels: all, or, where they are read as they are asked for, at least `count` as far as there are so many.

        Raises:
            UserError: no data.
        """
        if self.read is not None:
            return self.read(count)
        if self.images is None or self.labels is None:
            raise UserError("this scorer needs data: pass data=(images, labels).")
        return self.images, self.labels

    def samples(
        self, count: int, fresh: torch.Generator | None = None, augmented: torch.Generator | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The first `count` images and labels.

        Args:
            fresh: draws `count` of all images instead, without replacement.
            augmented: draws an augmentation of each image.

        Raises:
            UserError: no data, fewer samples than asked for, or nothing that says how images are augmented.
        """
        images, labels = self.at_hand(count if fresh is None else None)
        if count > len(images):
            raise UserError(f"this scorer needs {count} training samples, and there are only {len(images)}.")
        rows = torch.arange(count) if fresh is None else torch.randperm(len(images), generator=fresh)[:count]
        if augmented is None:
            return images[rows], labels[rows]
        if self.augment is None:
            raise UserError(
                "this scorer augments images as a recipe does, and these come without one: augment them yourself and set"
                " scorer.augment=false."
            )
        return self.augment(rows, augmented), labels[rows]

    def balanced(self, per_class: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The first `per_class` images of each class that the labels name, and their labels, class after class.

        Raises:
            UserError: no data, labels that are no classes, or a class with fewer images.
        """
        images, labels = self.at_hand()
        if labels.dim() != 1 or (len(labels) and int(labels.min()) < 0):
            raise UserError(
                f"this scorer takes so many images of each class and needs one class of each image: pass labels [n], 0 or more, not"
                f" {list(labels.shape)} from {float(labels.min()):g} on."
            )
        by_class = torch.argsort(labels, stable=True)
        counts = torch.bincount(labels)
        counts = counts[counts > 0]
        if not len(counts) or int(counts.min()) < per_class:
            least = int(counts.min()) if len(counts) else 0
            raise UserError(
                f"this scorer needs {per_class} training images of each class, and of one there are only {least}."
            )
        starts = torch.cumsum(counts, 0) - counts
        index = by_class[(starts[:, None] + torch.arange(per_class, device=starts.device)).ravel()]
        return images[index.to(images.device)], labels[index]
