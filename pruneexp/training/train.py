"""Train masked networks and test each once, at the end, with the weights of its last epoch or of its best one."""

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import lightning
import torch
from lightning.pytorch.loggers import Logger
from torch import nn

from pruneexp.data.resident import Resident
from pruneexp.errors import UserError
from pruneexp.mask_updates.update import MaskUpdate
from pruneexp.network.masks import Masks, check
from pruneexp.network.prunable import prunable
from pruneexp.recipe import Recipe
from pruneexp.training.branch import Branch, Course
from pruneexp.training.classifier import MaskedClassifier
from pruneexp.training.device import Device
from pruneexp.training.fit import fit, peak_memory
from pruneexp.training.fit_on_devices import Work, fit_on_devices
from pruneexp.training.selection import LAST, Selection


@dataclass
class Trained:
    """What training leaves: figures of the weights that it leaves, and one row for each epoch."""

    accuracy: float  # percent, of the test images
    loss: float  # mean cross-entropy of the test images
    diverged: bool  # the training loss stopped being finite
    seconds: float
    peak_memory_bytes: int
    history: list[dict[str, float]] = field(default_factory=list)
    chosen: int = -1  # the row of the epoch whose weights it leaves
    updates: int = 0  # of its masks, up to that epoch's end
    masks: Masks | None = None  # that those weights have, where they have changed


@dataclass
class Trainee:
    """A network to train, with what is its own."""

    network: nn.Module
    masks: Masks
    data: Resident
    loggers: Sequence[Logger] = ()
    start: int = 0  # the recipe's epoch that its training begins with
    selection: Selection = LAST
    update: MaskUpdate | None = None  # how the masks change; they are then the masker's


def train(
    network: nn.Module,
    masks: Masks,
    recipe: Recipe,
    data: Resident,
    device: Device,
    loggers: Sequence[Logger] = (),
    callbacks: Sequence[lightning.Callback] = (),
    epochs: int | None = None,
    start: int = 0,
    selection: Selection = LAST,
    update: MaskUpdate | None = None,
) -> Trained:
    """Train `network` in place under `masks` by `recipe`; test accuracy is that of the last epoch or of the one that is selected, on the
    test images, which are looked at once, at the end.

    With `epochs` it stops after so many of the recipe's, with `start` it begins with that one, at its learning rate and in its order
    of the images, as if the network had been trained so far; the optimiser's state begins at zero. A loss that stops being finite ends the
    training early and is reported as diverged, with the accuracy the network then has. With `update` the masks change on the way.
    """
    trainee = Trainee(network, masks, data, loggers, start, selection, update)
    return train_together([trainee], recipe, device, callbacks, epochs=epochs)[0]


def train_together(
    trainees: Sequence[Trainee],
    recipe: Recipe,
    device: Device,
    callbacks: Sequence[lightning.Callback] = (),
    ended: Callable[[int, Trained], None] | None = None,
    epochs: int | None = None,
) -> list[Trained]:
    """Train networks in place side by side, each as `train` would by itself, bit for bit on a CPU.

    Args:
        trainees: several only on one device and of networks that draw no random numbers (`pruneexp.training.members.why_alone`).
        recipe, device, epochs: as for `train`.
        callbacks: Lightning's, of all.
        ended: told the number of each network that is trained, and on the CPU again, and how it went, while others may go on.

    Returns:
        How it went for each, with its share of the seconds and the memory of all.
    """
    start = time.perf_counter()
    if len(trainees) > 1 and device.devices > 1:
        raise UserError(f"{len(trainees)} networks at once are trained on one device, not on {device.devices}.")
    if device.where.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    for trainee in trainees:
        check(prunable(trainee.network), trainee.masks)
        trainee.selection.check(len(trainee.data.validation[1]))
        device.place(trainee.network)
    if device.devices > 1:
        (one,) = trainees
        stretch = (epochs or recipe.epochs, one.start)
        work = Work(one.network, one.masks, recipe, one.data, device, callbacks, *stretch, one.selection, one.update)
        outcome = fit_on_devices(work, one.loggers)
        outcome.course.seconds = time.perf_counter() - start
        trained = _trained(outcome.course, outcome.peak_memory_bytes)
        if ended is not None:
            ended(0, trained)
        return [trained]
    branches = [_branch(one, recipe, device, epochs or recipe.epochs) for one in trainees]

    def told(number: int) -> None:
        assert ended is not None
        branches[number].network.cpu()  # where Lightning leaves it in the end
        ended(number, _trained(branches[number].course, peak_memory(device)))

    module = MaskedClassifier(branches, device, told if ended is not None else None, since=start)
    try:
        fit(module, device, epochs or recipe.epochs, callbacks)
    finally:
        with contextlib.suppress(RuntimeError):  # of a device that has failed: another error tells of it
            for branch in branches:  # one may come in the middle of an epoch
                branch.give_back()
    return [_trained(branch.course, peak_memory(device)) for branch in branches]


def _branch(one: Trainee, recipe: Recipe, device: Device, epochs: int) -> Branch:
    data = (one.data, device, one.loggers)
    return Branch(one.network, one.masks, recipe, *data, epochs, one.start, selection=one.selection, update=one.update)


def _trained(course: Course, memory: int) -> Trained:
    return Trained(
        accuracy=course.tested[1],
        loss=course.tested[0],
        diverged=course.diverged or not math.isfinite(course.tested[0]),
        seconds=course.seconds,
        peak_memory_bytes=memory,
        history=course.history,
        chosen=course.chosen,
        updates=course.updates,
        masks=course.masks,
    )
