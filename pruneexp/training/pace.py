"""How long an epoch of a network takes here, found by timing a few steps of it."""

import copy
import itertools
import statistics
import time
from collections.abc import Callable

import numpy as np
from torch import nn

from pruneexp.data.dataset import Dataset, Sizes
from pruneexp.data.resident import Resident, Split
from pruneexp.recipe import Recipe
from pruneexp.training.device import Device
from pruneexp.training.members import seconds as seconds_on_gpu
from pruneexp.training.step import Step

FEWEST, MOST = 3, 50  # times that a piece of work is repeated
SETTLED = 0.03  # of the median: its standard error
FEW = 2  # images of the first step, since BatchNorm may need two
SPENT = 4  # steps, at least, that the time which may be spent has room for


def epoch_seconds(
    network: nn.Module, recipe: Recipe, device: Device, sizes: Sizes, images: int, most: float, frozen: bool = False
) -> float:
    """Seconds of an epoch of training, on random images; the batches are made, and the steps, as a training makes them.

    On a CPU a step has a whole batch where there is time for it. Else it has fewer images, and what it takes beyond the optimiser's
    part, which is timed by itself and is the same for any number, is counted for each. What an epoch's end takes is not there.

    Args:
        network: anywhere; left as it is.
        recipe, device: of the training.
        sizes: of the data set.
        images: how many an epoch has.
        most: seconds that may be spent, more or less.
        frozen: only the classifier is trained, as in `Recipe.frozen_epochs`.
    """
    data = _random(sizes, min(recipe.batch_size, images), recipe, device)
    numbers = itertools.count()
    making = median_seconds(lambda: list(data.epoch(next(numbers))), most / 6)
    ((batch,),) = data.epoch(0)
    if device.where.type == "cuda":
        step = seconds_on_gpu(network, 1, recipe, device, batch, frozen)
    else:
        step = _step_seconds(network, recipe, device, batch, most, frozen)
    return (making + step) * images / min(recipe.batch_size, images)


def median_seconds(work: Callable[[], object], most: float) -> float:
    """Median seconds of a piece of work after a first time, which does not count.

    It is repeated until the median's standard error, 1.25 sigma / sqrt(n) with sigma from the quartiles as of a normal distribution
    (IQR / 1.35), is below `SETTLED` of it, or until `most` seconds are over; `FEWEST` times in any case.
    """
    work()
    times: list[float] = []
    end = time.perf_counter() + most
    while len(times) < FEWEST or (time.perf_counter() < end and len(times) < MOST and not _settled(times)):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _settled(times: list[float]) -> bool:
    low, middle, high = statistics.quantiles(times)
    return len(times) >= 2 * FEWEST and 1.25 * (high - low) / 1.35 / len(times) ** 0.5 < SETTLED * middle


def _step_seconds(network: nn.Module, recipe: Recipe, device: Device, batch: Split, most: float, frozen: bool) -> float:
    """Seconds of a step with this batch on a CPU."""
    step = Step(device.place(copy.deepcopy(network)).train(), {}, recipe, device)
    if frozen:
        step.freeze(True)
    whole = len(batch[1])
    count = min(FEW, whole)
    step(*_first(batch, count))  # libraries choose their algorithms
    while count < whole:
        start = time.perf_counter()
        step(*_first(batch, count))
        if 2 * SPENT * (time.perf_counter() - start) > most:
            break
        count = min(2 * count, whole)
    some = _first(batch, count)
    seconds = median_seconds(lambda: step(*some), most / 2)
    if count == whole:
        return seconds
    fixed = min(median_seconds(step.optimiser.step, most / 6), seconds)
    return fixed + (seconds - fixed) * whole / count


def _first(batch: Split, count: int) -> Split:
    images, labels = batch
    return images[:count], labels[:count]


def _random(sizes: Sizes, count: int, recipe: Recipe, device: Device) -> Resident:
    """A data set of one batch; this process's part of it where several share each batch."""
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (count, *sizes.input_shape), dtype=np.uint8)
    labels = draw.integers(0, sizes.classes, count)
    half = (0.5,) * sizes.input_shape[0]
    dataset = Dataset("random", images, labels, images[:0], labels[:0], sizes.classes, half, half)
    where = device.where
    return Resident(dataset, recipe, 0, where).shared(0, device.devices, where)
