"""Small trainings on the pretended GPU, whose kernels compute nothing: what the programs share."""

import contextlib
import dataclasses
import json
import unittest.mock
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

import pruneexp.training  # noqa: F401  (first: it makes lightning importable)
from pruneexp.data.resident import Resident
from pruneexp.models.resnet import resnet_cifar
from pruneexp.models.vgg import vgg_small
from pruneexp.network.masks import Masks
from pruneexp.network.prunable import prunable
from pruneexp.recipe import Recipe
from pruneexp.training import members
from pruneexp.training.device import Device
from pruneexp.training.fit import quiet_lightning
from pruneexp.training.train import Trainee
from tests.helpers import toy_dataset
from tests.stub.convolution import forward

SHAPE, CLASSES = (3, 16, 16), 4
IMAGES = 150  # in batches of 32, the last of which is smaller
RECIPE = Recipe(epochs=3, batch_size=32, lr=0.05, weight_decay=1e-3, milestones=(1,), flip=True, shift=2)


@contextlib.contextmanager
def pretended() -> Iterator[None]:
    """Convolutions are one kernel each; losses, which are read off memory that nothing has written, are finite.

    A kernel takes no time, so that of `trainer.members=auto` the most that fit are the fastest.
    """
    quiet_lightning()
    real = members.seconds

    def seconds(of: nn.Module, number: int, *means: Any) -> float:
        return 0 * real(of, number, *means) + 1 / number

    with (
        unittest.mock.patch.object(nn.Conv2d, "forward", forward),
        unittest.mock.patch("pruneexp.training.tally._means", return_value=(1.0, 50.0)),
        unittest.mock.patch.object(members, "seconds", seconds),
    ):
        yield


def network(kind: str) -> nn.Module:
    return vgg_small(CLASSES, SHAPE) if kind == "vgg" else resnet_cifar(CLASSES, SHAPE, 20)


def masks(of: nn.Module, density: float = 0.3) -> Masks:
    return {name: torch.rand(weight.shape) < density for name, weight in prunable(of).items()}


def data(device: Device, recipe: Recipe = RECIPE, seed: int = 0, validation: int = 0) -> Resident:
    dataset = dataclasses.replace(toy_dataset(IMAGES + validation, side=SHAPE[1]), validation=validation)
    return Resident(dataset, recipe, seed, device.where)


def trainees(kind: str, residents: list[Resident]) -> list[Trainee]:
    """One for each of the data."""
    networks = [network(kind) for _ in residents]
    return [Trainee(one, masks(one), its) for one, its in zip(networks, residents, strict=True)]


def batch(size: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.randn(size, *SHAPE[1:], SHAPE[0], device="cuda").permute(0, 3, 1, 2)
    return images, torch.zeros(size, dtype=torch.int64, device="cuda")


def tell(found: Any) -> None:
    """The program's one line, its last."""
    print(json.dumps(found), flush=True)
