"""How long an epoch of a network takes here, found by timing a few steps of it."""

import copy
import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from torch import nn

from pruneexp.data.dataset import Dataset, Sizes
from pruneexp.data.resident import Resident, Split
from pruneexp.recipe import Recipe
from pruneexp.training.device import Device
from pruneexp.training.members import seconds as seconds_on_gpu
from pruneexp.training.step import Step

ENOUGH, MOST = 6, 50  # times that a piece of work is repeated, if there is time
SETTLED = 0.03  # of the median: its standard error
FEW = 2  # images of the first step, since BatchNorm may need two
ROOM = 8  # steps of so many images, of which there has to be time where a step of twice as many is tried


def epoch_seconds(
    network: nn.Module, recipe: Recipe, device: Device, sizes: Sizes, images: int, most: float, frozen: bool = False
) -> float:
    """Seconds of an epoch of training, on random images; the batches are made, and the steps, as a training makes them.

    On a CPU a step has a whole batch where there is time for it. Else it has fewer images, and what it takes beyond the optimiser's
    part, which is timed by itself and is the same for any number, is counted for each.
    Left out is what an epoch's end, a test and other programs take.

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


def median_seconds(work: Callable[[], object], most: float, known: Sequence[float] = ()) -> float:
    """Median seconds of a piece of work, repeated until it has settled or `most` seconds are over, and once in any case.

    It has settled where, of at least `ENOUGH` times, the standard error of the median, 1.25 sigma / sqrt(n) with sigma = IQR / 1.35 as of
    a normal distribution, is below `SETTLED` of it.

    Args:
        work: to be timed; a first time, in which libraries choose their algorithms, does not count.
        most: seconds; of those known too.
        known: what it took already, where the first time is over.
    """
    if not known:
        work()
    times, end = list(known), time.perf_counter() + most - sum(known)
    while not times or (time.perf_counter() < end and len(times) < MOST and not _settled(times)):
        times.append(_seconds_of(work))
    return statistics.median(times)


def _settled(times: list[float]) -> bool:
    if len(times) < ENOUGH:
        return False
    low, middle, high = statistics.quantiles(times)
    return 1.25 * (high - low) / 1.35 / len(times) ** 0.5 < SETTLED * middle


def _seconds_of(work: Callable[[], object]) -> float:
    """What passes, or the processor's share of it where that is less: time in which other programs have the processor is not the work's."""
    start, used = time.perf_counter(), time.process_time()
    work()
    return min(time.perf_counter() - start, time.process_time() - used)


def _step_seconds(network: nn.Module, recipe: Recipe, device: Device, batch: Split, most: float, frozen: bool) -> float:
    """Seconds of a step with this batch on a CPU."""
    step = Step(device.place(copy.deepcopy(network)).train(), {}, recipe, device)
    if frozen:
        step.freeze(True)

    def make(count: int) -> None:
        step(batch[0][:count], batch[1][:count])

    whole = len(batch[1])
    count = min(FEW, whole)
    make(count)  # libraries choose their algorithms
    while ROOM * (once := _seconds_of(partial(make, count))) < most and count < whole:
        count = min(2 * count, whole)
    seconds = median_seconds(partial(make, count), most / 2, [once])
    if count == whole:
        return seconds
    fixed = min(median_seconds(step.optimiser.step, most / 6), seconds)
    return fixed + (seconds - fixed) * whole / count


def _random(sizes: Sizes, count: int, recipe: Recipe, device: Device) -> Resident:
    """A data set of one batch; this process's part of it where several share each batch."""
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (count, *sizes.input_shape), dtype=np.uint8)
    labels = draw.integers(0, sizes.classes, count)
    half = (0.5,) * sizes.input_shape[0]
    dataset = Dataset("random", images, labels, images[:0], labels[:0], sizes.classes, half, half)
    where = device.where
    return Resident(dataset, recipe, 0, where).shared(0, device.devices, where)
