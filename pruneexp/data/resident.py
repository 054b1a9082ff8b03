"""The data set on the training device: uint8, shuffled, augmented and normalised there."""

import copy
import itertools
from collections.abc import Iterator

import numpy as np
import torch

from pruneexp.data.augment import Crops, Shifts, pad
from pruneexp.data.batches import Batches
from pruneexp.data.dataset import Dataset
from pruneexp.data.mixing import Mixing
from pruneexp.data.upload import upload
from pruneexp.recipe import Recipe
from pruneexp.seeding import stream

# uint8 [N, H, W, C], int64 [N]; of a batch float32 [b, C, H, W] and int64 [b], or of a mixed one float32 [b, classes]
Split = tuple[torch.Tensor, torch.Tensor]
CHUNK = 8192 * 32 * 32  # pixels prepared at a time: enough for a GPU, and 100 MB of float32 in three channels
EVALUATED = 1000 * 64 * 64  # pixels evaluated at a time: a GB of float32 in each of a VGG-16's largest layers
SCORING = 5000 * 32 * 32  # pixels that scorers may look at


class Resident:
    """Train, validation and test images of one job, held as uint8 on `device`.

    Args:
        dataset: the arrays; `dataset.validation` training images, drawn by the seed, are held out.
        recipe: augmentation, batch size and subset sizes.
        seed: of the split, the subset, the data order and the augmentation, each a stream of its own.
        device: where the images live and the batches are made.
        beside: of the same data set, recipe and device; what the two have alike is there once.
    """

    train_images: torch.Tensor  # uint8 [N, H + 2*shift, W + 2*shift, C]
    train_labels: torch.Tensor  # int64 [N]
    validation: Split
    test: Split

    def __init__(
        self, dataset: Dataset, recipe: Recipe, seed: int, device: torch.device, beside: "Resident | None" = None
    ) -> None:
        self.recipe, self.seed, self.device = recipe, seed, device
        self.rank, self.ranks = 0, 1
        self.input_shape, self.classes = dataset.input_shape, dataset.classes
        self.height, self.width = dataset.input_shape[1:]
        order = torch.randperm(len(dataset.train_images), generator=stream(seed, "split")).numpy()
        held_out, rest = np.split(order, [dataset.validation])
        train = rest[: recipe.train_images or None]
        test = np.arange(len(dataset.test_images))[: recipe.test_images or None]
        if beside and len(train) == len(dataset.train_images):  # all of them, whatever the seed
            self.train_images, self.train_labels = beside.train_images, beside.train_labels
        else:
            train_images, self.train_labels = _place(dataset.train_images, dataset.train_labels, train, device)
            self.train_images = pad(train_images, recipe.shift)
        self.validation = _place(dataset.train_images, dataset.train_labels, held_out, device)
        self.test = beside.test if beside else _place(dataset.test_images, dataset.test_labels, test, device)
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

    def steps(self) -> int:
        """How many batches an epoch has."""
        return -(-len(self.train_labels) // self.recipe.batch_size)

    def epoch(self, epoch: int) -> Iterator[list[Split]]:
        """The epoch's batches (float32 [b, C, H, W] in channels-last memory, labels [b], mixed ones [b, classes]), in chunks.

        Order, augmentation and mixing depend on (seed, epoch) only. The first two are drawn at once and brought to the device in one
        copy, so that nothing waits for it. What is mixed is mixed in whole batches, and shared after that.
        """
        count = len(self.train_labels)
        order = torch.randperm(count, generator=stream(self.seed, "data order", epoch))
        draws = self._draws(count, stream(self.seed, "augmentation", epoch))
        mix = None
        if self.recipe.mixup or self.recipe.cutmix:
            mix = Mixing(self.recipe, self.classes, stream(self.seed, "mixing", epoch))
        whole = torch.arange(count).split(self.recipe.batch_size)
        batches = list(whole) if mix else [self._share(batch) for batch in whole]
        mine = torch.cat(batches)
        order, *there = upload([part[mine] for part in (order, *draws)], self.device)
        draws, done = type(draws)(*there), 0
        together = self.chunk_size() // self.recipe.batch_size
        for first in range(0, len(batches), together):
            sizes = [len(batch) for batch in batches[first : first + together]]
            part = slice(done, done + sum(sizes))
            index, done = order[part], part.stop
            if len(index):
                images = self.normalise(draws.apply(self.train_images, index, part, self.height, self.width))
            else:
                images = self.mean.new_empty(0, *self.input_shape)
            made: Iterator[Split] = zip(images.split(sizes), self.train_labels[index].split(sizes), strict=True)
            if mix:
                made = ((self._share(mixed), self._share(shares)) for mixed, shares in itertools.starmap(mix, made))
            yield list(made)

    def _share(self, batch: torch.Tensor) -> torch.Tensor:
        """This process's part of a batch, along the first dimension."""
        if len(batch) >= 2 * self.ranks:
            return batch[self.rank :: self.ranks]
        return batch[: 0 if self.rank else len(batch)]

    def batches(self, split: Split, size: int | None = None) -> Iterator[Split]:
        """An unaugmented split (`self.test`, `self.validation`) in order, normalised like `epoch`'s batches.

        Args:
            size: images of a batch (None: 1,000 of up to 64x64, fewer of larger ones, and 81 at 224x224).
        """
        size = size or max(1, min(1000, EVALUATED // (self.height * self.width)))
        mine = [part[self.rank :: self.ranks] for part in split]
        for images, labels in zip(mine[0].split(size), mine[1].split(size), strict=True):
            if len(labels):
                yield self.normalise(images), labels

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """[b, H, W, C] in 0 ... 255 to float32 [b, C, H, W] of zero mean and unit variance per channel."""
        return (images - self.mean).div_(self.std).permute(0, 3, 1, 2)

    def for_scoring(self, limit: int | None = None, per_class: int = 25) -> Batches:
        """Training images in the order of the stream "scorer batches", and how to augment them.

        The first `limit` (None: 5,000 at 32x32, fewer of larger ones), and after them what is missing of the first
        `per_class` of each class. Fresh samples are drawn from all of these, so that with other defaults they are others: a new version.
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

        def augment(rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
            return self._augmented(index[rows], generator).contiguous()

        return Batches(images, self.train_labels[index], tuple(images.shape[1:]), augment)

    def _draws(self, count: int, generator: torch.Generator) -> Crops | Shifts:
        """How the recipe augments so many images."""
        kind = Crops if self.recipe.resized_crop else Shifts
        return kind.draw(count, self.recipe, generator, self.height, self.width)

    def _augmented(self, index: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Training images [b] as the recipe augments them, normalised."""
        drawn = self._draws(len(index), generator)
        draws = type(drawn)(*upload(list(drawn), self.device))
        return self.normalise(draws.apply(self.train_images, index, slice(None), self.height, self.width))


def _place(images: np.ndarray, labels: np.ndarray, index: np.ndarray, device: torch.device) -> Split:
    rows = np.sort(index)
    whole = len(rows) == len(images)
    chosen = torch.from_numpy(np.array(images) if whole else images[rows])
    target = torch.from_numpy((np.array(labels) if whole else labels[rows]).astype(np.int64))
    return chosen.to(device).permute(0, 2, 3, 1).contiguous(), target.to(device)
