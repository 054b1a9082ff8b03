"""The data set on the training device: uint8, shuffled, augmented and normalised there."""

import copy
from collections.abc import Iterator

import numpy as np
import torch

from pruneexp.data.augment import Crops, Shifts, pad
from pruneexp.data.batches import Batches
from pruneexp.data.dataset import Dataset
from pruneexp.recipe import Recipe
from pruneexp.seeding import stream

Split = tuple[torch.Tensor, torch.Tensor]  # uint8 [N, H, W, C], int64 [N]
CHUNK = 8192 * 32 * 32  # pixels prepared at a time: enough for a GPU, and 100 MB of float32 in three channels
SCORING = 5000 * 32 * 32  # pixels that scorers may look at


class Resident:
    """Train, validation and test images of one job, held as uint8 on `device`.

    Args:
        dataset: the arrays; `dataset.validation` training images, drawn by the seed, are held out.
        recipe: augmentation, batch size and subset sizes.
        seed: of the split, the subset, the data order and the augmentation, each a stream of its own.
        device: where the images live and the batches are made.
    """

    def __init__(self, dataset: Dataset, recipe: Recipe, seed: int, device: torch.device) -> None:
        self.recipe, self.seed, self.device = recipe, seed, device
        self.rank, self.ranks = 0, 1
        self.input_shape = dataset.input_shape
        self.height, self.width = dataset.input_shape[1:]
        order = torch.randperm(len(dataset.train_images), generator=stream(seed, "split")).numpy()
        held_out, rest = np.split(order, [dataset.validation])
        train = rest[: recipe.train_images or None]
        test = np.arange(len(dataset.test_images))[: recipe.test_images or None]
        train_images, self.train_labels = _place(dataset.train_images, dataset.train_labels, train, device)
        self.train_images = pad(train_images, recipe.shift)
        self.validation = _place(dataset.train_images, dataset.train_labels, held_out, device)
        self.test = _place(dataset.test_images, dataset.test_labels, test, device)
        self.mean = 255 * torch.tensor(dataset.mean, device=device)
        self.std = 255 * torch.tensor(dataset.std, device=device)

    def shared(self, rank: int, ranks: int, device: torch.device) -> "Resident":
        """The same data for process `rank` of `ranks`, which takes every `ranks`-th image of each batch and split.

        A batch of fewer than two images a process goes to the first one whole: BatchNorm may need two.

        Args:
            device: where the tensors have been put by now.
        """
        mine = copy.copy(self)
        mine.rank, mine.ranks, mine.device = rank, ranks, device
        return mine

    def chunk_size(self) -> int:
        """Images prepared at once: a whole number of batches."""
        images = CHUNK // (self.height * self.width)
        return max(images // self.recipe.batch_size, 1) * self.recipe.batch_size

    def chunks(self) -> int:
        """In how many chunks an epoch comes."""
        return -(-len(self.train_labels) // self.chunk_size())

    def epoch(self, epoch: int) -> Iterator[list[Split]]:
        """The epoch's batches (float32 [b, C, H, W] in channels-last memory, labels [b]), in chunks.

        Order and augmentation depend on (seed, epoch) only.
        """
        count, batch = len(self.train_labels), self.recipe.batch_size
        order = torch.randperm(count, generator=stream(self.seed, "data order", epoch)).to(self.device)
        kind = Crops if self.recipe.resized_crop else Shifts
        draws = kind.draw(count, self.recipe, stream(self.seed, "augmentation", epoch))
        size = self.chunk_size()
        for start in range(0, count, size):
            part: slice | torch.Tensor = slice(start, start + size)
            sizes: int | list[int] = batch
            if self.ranks > 1:
                part, sizes = self._share(torch.arange(start, min(start + size, count)))
            index = order[part]
            if len(index):
                images = self.normalise(draws.apply(self.train_images, index, part, self.height, self.width))
            else:
                images = self.mean.new_empty(0, *self.input_shape)
            yield list(zip(images.split(sizes), self.train_labels[index].split(sizes), strict=True))

    def _share(self, positions: torch.Tensor) -> tuple[torch.Tensor, list[int]]:
        """This process's part of an epoch's positions, and how many of them are of each batch."""
        mine = [
            batch[self.rank :: self.ranks] if len(batch) >= 2 * self.ranks else batch[: 0 if self.rank else len(batch)]
            for batch in positions.split(self.recipe.batch_size)
        ]
        return torch.cat(mine), [len(batch) for batch in mine]

    def batches(self, split: Split, size: int = 1000) -> Iterator[Split]:
        """An unaugmented split (`self.test`, `self.validation`) in order, normalised like `epoch`'s batches."""
        mine = [part[self.rank :: self.ranks] for part in split]
        for images, labels in zip(mine[0].split(size), mine[1].split(size), strict=True):
            if len(labels):
                yield self.normalise(images), labels

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """[b, H, W, C] in 0 ... 255 to float32 [b, C, H, W] of zero mean and unit variance per channel."""
        return (images - self.mean).div_(self.std).permute(0, 3, 1, 2)

    def for_scoring(self, limit: int | None = None, per_class: int = 20) -> Batches:
        """Training images without augmentation, in the order of the stream "scorer batches".

        The first `limit` (None: 5,000 at 32x32, fewer of larger ones), and after them what is missing of the first
        `per_class` of each class.
        """
        limit = SCORING // (self.height * self.width) if limit is None else limit
        shift = self.recipe.shift
        order = torch.randperm(len(self.train_labels), generator=stream(self.seed, "scorer batches")).to(self.device)
        labels = self.train_labels[order]
        by_class = torch.argsort(labels, stable=True)
        counts = torch.bincount(labels)
        starts = torch.cumsum(counts, 0) - counts
        rank = torch.empty_like(by_class)
        rank[by_class] = torch.arange(len(order), device=self.device) - starts.repeat_interleave(counts)
        place = torch.arange(len(order), device=self.device)
        index = order[(place < limit) | (rank < per_class)]
        images = self.train_images[index, shift : shift + self.height, shift : shift + self.width]
        images = self.normalise(images).contiguous()
        return Batches(images, self.train_labels[index], tuple(images.shape[1:]))


def _place(images: np.ndarray, labels: np.ndarray, index: np.ndarray, device: torch.device) -> Split:
    rows = np.sort(index)
    whole = len(rows) == len(images)
    chosen = torch.from_numpy(np.array(images) if whole else images[rows])
    target = torch.from_numpy((np.array(labels) if whole else labels[rows]).astype(np.int64))
    return chosen.to(device).permute(0, 2, 3, 1).contiguous(), target.to(device)
