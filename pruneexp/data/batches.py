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
        labels: int64 [n], or None.
        input_shape: [C, H, W], or None.
        augment: (rows int64 [k], generator) -> those images augmented as the recipe does; None where there is no recipe.
    """

    images: torch.Tensor | None = None
    labels: torch.Tensor | None = None
    input_shape: tuple[int, ...] | None = None
    augment: Callable[[torch.Tensor, torch.Generator], torch.Tensor] | None = None

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
        if self.images is None or self.labels is None:
            raise UserError("this scorer needs data: pass data=(images, labels).")
        if count > len(self.images):
            raise UserError(f"this scorer needs {count} training samples, and there are only {len(self.images)}.")
        rows = torch.arange(count) if fresh is None else torch.randperm(len(self.images), generator=fresh)[:count]
        if augmented is None:
            return self.images[rows], self.labels[rows]
        if self.augment is None:
            raise UserError(
                "this scorer augments images as a recipe does, and these come without one: augment them yourself and set"
                " scorer.augment=false."
            )
        return self.augment(rows, augmented), self.labels[rows]

    def balanced(self, per_class: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The first `per_class` images of each class that the labels name, and their labels, class after class.

        Raises:
            UserError: no data, or a class with fewer images.
        """
        self.samples(0)
        assert self.images is not None
        assert self.labels is not None
        by_class = torch.argsort(self.labels, stable=True)
        counts = torch.bincount(self.labels)
        counts = counts[counts > 0]
        if not len(counts) or int(counts.min()) < per_class:
            least = int(counts.min()) if len(counts) else 0
            raise UserError(
                f"this scorer needs {per_class} training images of each class, and of one there are only {least}."
            )
        starts = torch.cumsum(counts, 0) - counts
        index = by_class[(starts[:, None] + torch.arange(per_class, device=starts.device)).ravel()]
        return self.images[index], self.labels[index]
