"""Train masked networks and test each once, at the end."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import lightning
import torch
from lightning.pytorch.loggers import Logger
from torch import nn

from pruneexp.data.resident import Resident
from pruneexp.errors import UserError
from pruneexp.network.masks import Masks, check
from pruneexp.network.prunable import prunable
from pruneexp.recipe import Recipe
from pruneexp.training.classifier import Course, MaskedClassifier
from pruneexp.training.device import Device
from pruneexp.training.ensemble import Ensemble, stack_masks
from pruneexp.training.fit import fit, peak_memory
from pruneexp.training.fit_on_devices import Work, fit_on_devices


@dataclass
class Trained:
    """What training leaves: figures of the last epoch, and one row for each epoch."""

    accuracy: float  # percent, of the test images
    loss: float  # mean cross-entropy of the test images
    diverged: bool  # the training loss stopped being finite
    seconds: float
    peak_memory_bytes: int
    history: list[dict[str, float]] = field(default_factory=list)


def train(
    network: nn.Module,
    masks: Masks,
    recipe: Recipe,
    data: Resident,
    device: Device,
    loggers: Sequence[Logger] = (),
    callbacks: Sequence[lightning.Callback] = (),
    epochs: int | None = None,
) -> Trained:
    """Train `network` in place under `masks` by `recipe`; test accuracy is the last epoch's, on the test images.

    With `epochs` it stops after so many of the recipe's. A loss that stops being finite ends the training early and is
    reported as diverged, with the accuracy the network then has.
    """
    return train_together([network], [masks], recipe, data, device, loggers, callbacks, epochs)[0]


def train_together(
    networks: Sequence[nn.Module],
    masks: Sequence[Masks],
    recipe: Recipe,
    data: Resident,
    device: Device,
    loggers: Sequence[Logger] = (),
    callbacks: Sequence[lightning.Callback] = (),
    epochs: int | None = None,
) -> list[Trained]:
    """Train several networks of one architecture, each in place under its masks, as `train` would one after another.

    More than one are trained as an `Ensemble`; loggers are for one network. Each is reported with its share of the
    seconds, and with the memory of all.
    """
    start, epochs, several = time.perf_counter(), epochs or recipe.epochs, len(networks) > 1
    if several and device.devices > 1:
        raise UserError(f"{len(networks)} networks at once are trained on one device, not on {device.devices}.")
    if device.where.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    for network, some in zip(networks, masks, strict=True):
        check(prunable(network), some)
        device.place(network)
    if device.devices > 1:
        outcome = fit_on_devices(Work(networks[0], masks[0], recipe, data, device, callbacks, epochs), loggers)
        courses, memory = outcome.courses, outcome.peak_memory_bytes
    else:
        trained = Ensemble(networks) if several else networks[0]
        module = MaskedClassifier(trained, stack_masks(masks) if several else masks[0], recipe, data, device)
        fit(module, device, epochs, loggers, callbacks)
        if isinstance(trained, Ensemble):
            trained.copy_to(networks)
        courses, memory = module.courses, peak_memory(device)
    seconds = (time.perf_counter() - start) / len(networks)
    return [_trained(course, seconds, memory) for course in courses]


def _trained(course: Course, seconds: float, memory: int) -> Trained:
    return Trained(
        accuracy=course.tested[1],
        loss=course.tested[0],
        diverged=course.diverged or not math.isfinite(course.tested[0]),
        seconds=seconds,
        peak_memory_bytes=memory,
        history=course.history,
    )
