"""Small things that several tests need."""

import copy
import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from torch import nn

from pruneexp.cell import Cell
from pruneexp.data.dataset import Dataset
from pruneexp.jobs.job import Job
from pruneexp.network.structure import Structure
from pruneexp.pruning.target import Target
from pruneexp.recipe import Recipe
from pruneexp.sweep import Grid, precision_there


def toy_dataset(count: int = 200, side: int = 16, classes: int = 4, seed: int = 0) -> Dataset:
    """Images whose class is the brightest quadrant, uint8 [count, 3, side, side]: learnable in a few steps."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 120, (2 * count, 3, side, side), dtype=np.uint8)
    labels = rng.integers(0, classes, 2 * count)
    half = side // 2
    for image, label in zip(images, labels, strict=True):
        top, left = half * (label // 2), half * (label % 2)
        image[:, top : top + half, left : left + half] += 100
    return Dataset(
        name="toy",
        train_images=images[:count],
        train_labels=labels[:count],
        test_images=images[count:],
        test_labels=labels[count:],
        classes=classes,
        mean=(0.35,) * 3,
        std=(0.2,) * 3,
    )


def modern(recipe: Recipe, **others: Any) -> Recipe:
    """The recipe by AdamW on mixed images, its learning rate set for each step."""
    new: dict[str, Any] = {
        "optimiser": "adamw",
        "lr": 0.003,
        "milestones": (),
        "schedule": "cosine",
        "warmup_epochs": 1,
    }
    return dataclasses.replace(recipe, **new | {"lr_interval": "step", "mixup": 0.8, "cutmix": 1.0} | others)


def at_forward_pass(network: nn.Module, number: int, act: Callable[[], None]) -> None:
    """Have something done at the network's forward pass of this number, from 1 on; 0: never."""
    left = itertools.count(number, -1)

    def passed(*_: object) -> None:
        if next(left) == 1:
            act()

    network.register_forward_pre_hook(passed)


def cells_of(grid: Grid) -> dict[str, tuple[Job, Cell]]:
    """Every cell that a grid asks for, in the precision that it would be trained in here, by key."""
    found = [(slot.job, slot.job.cell(slot.density, precision_there(slot.job))) for slot in grid.slots]
    return {cell.key: (job, cell) for job, cell in found}


def target_of(model: nn.Module) -> Target:
    """All weights of a network."""
    return Target(model, Structure(model))


def diverging(recipe: Recipe) -> Recipe:
    """The recipe with a learning rate beyond all that are allowed, at which any network's loss stops being finite."""
    found = copy.copy(recipe)
    object.__setattr__(found, "lr", 1e30)
    return found
