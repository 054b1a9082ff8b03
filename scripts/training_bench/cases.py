"""What is measured: networks with their recipes and data, and the ways of training them."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from pruneexp.data.dataset import Dataset
from pruneexp.models.resnet import resnet_cifar, resnet_imagenet
from pruneexp.models.vgg import vgg, vgg_small
from pruneexp.network.initialise import initialise
from pruneexp.network.masks import Masks
from pruneexp.network.prunable import prunable
from pruneexp.recipe import Recipe
from pruneexp.seeding import stream

Shape = tuple[int, int, int]
TEST_IMAGES = 16  # few: testing is not measured
DENSITY = 0.1


@dataclass(frozen=True)
class Setting:
    """A network and how it is trained.

    Attributes:
        images: of the data set.
        few: that a CPU is measured on.
        floor: the least seconds of a cell on an H200 at batch 256, the sum of its arithmetic and its memory traffic.
    """

    make: Callable[[int, Shape], nn.Module]
    recipe: Recipe
    classes: int
    side: int
    images: int
    few: int
    floor: float | None = None


DIGITS = Recipe(epochs=8, batch_size=64, lr=0.05, weight_decay=5e-4, milestones=(6,), shift=2)
CIFAR = Recipe(epochs=160, batch_size=128, lr=0.1, weight_decay=1e-4, milestones=(80, 120), flip=True, shift=4)
TINY = replace(CIFAR, epochs=80, shift=0, resized_crop=True, crop="redrawn")
SETTINGS = {
    "digits": Setting(vgg_small, DIGITS, 10, 32, 1438, 1438),
    "resnet20": Setting(functools.partial(resnet_cifar, depth=20), CIFAR, 10, 32, 50000, 1024, 12),
    "vgg16": Setting(functools.partial(vgg, depth=16), CIFAR, 10, 32, 50000, 512, 36),
    "resnet18": Setting(functools.partial(resnet_imagenet, depth=18), TINY, 200, 64, 100000, 256, 265),
}


@dataclass(frozen=True)
class Case:
    """What one process measures.

    Attributes:
        way: ``ours``, ``lightning`` or ``loop``.
        members: networks that ours trains at once.
        workers: of the DataLoader.
        images, epochs: trained on.
        threads: of a CPU, 0 for torch's choice.
    """

    network: str
    batch: int
    images: int
    epochs: int
    threads: int
    way: str = "ours"
    members: int = 1
    workers: int = 0

    @property
    def name(self) -> str:
        if self.way != "ours":
            return f"{self.way}, {self.workers} workers"
        return "ours" if self.members == 1 else f"ours, {self.members} members"


def all_ways(ours: Case, members: Sequence[int], workers: Sequence[int]) -> list[Case]:
    """A case in every way."""
    together = [replace(ours, members=n) for n in members]
    return [ours, *together, *(replace(ours, way=way, workers=n) for way in ("lightning", "loop") for n in workers)]


def prepared(case: Case) -> tuple[nn.Module, list[Masks], Recipe, Dataset]:
    """The network at initialisation, random masks for each member, the recipe, random images."""
    setting, draw = SETTINGS[case.network], np.random.default_rng(0)
    network = setting.make(setting.classes, (3, setting.side, setting.side))
    initialise(network, "kaiming_normal", stream(0, "initialisation"))
    generator, shapes = stream(0, "masks"), {name: weight.shape for name, weight in prunable(network).items()}
    masks = [
        {name: torch.rand(shape, generator=generator) < DENSITY for name, shape in shapes.items()}
        for _ in range(case.members)
    ]
    images = draw.integers(0, 256, (case.images + TEST_IMAGES, 3, setting.side, setting.side), dtype=np.uint8)
    labels = draw.integers(0, setting.classes, len(images))
    split = images[TEST_IMAGES:], labels[TEST_IMAGES:], images[:TEST_IMAGES], labels[:TEST_IMAGES]
    dataset = Dataset("random", *split, setting.classes, (0.5,) * 3, (0.3,) * 3)
    return network, masks, replace(setting.recipe, batch_size=case.batch), dataset
