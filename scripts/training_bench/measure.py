"""One case measured, in a process of its own."""

import copy
import multiprocessing
import resource
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import lightning
import numpy as np
import torch

from pruneexp.data.resident import Resident
from pruneexp.training.device import Device
from pruneexp.training.fit import quiet_lightning
from pruneexp.training.train import Trainee, train_together
from scripts.training_bench.cases import SETTINGS, Case, prepared
from scripts.training_bench.plain import plain_lightning, plain_loop


class Clock(lightning.Callback):
    """The times at which epochs end, once the device has finished them."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a fresh process, which may have children of its own, a DataLoader's workers."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def measure(case: Case) -> dict[str, float]:
    """Seconds of the start-up (what the first epoch takes longer than another) and of an epoch, MiB; nothing without room."""
    if case.threads:
        torch.set_num_threads(case.threads)
    quiet_lightning()
    warnings.simplefilter("ignore")  # Lightning's advice on the plain ways
    clock = Clock()
    network, masks, recipe, dataset = prepared(case)
    before, start = _resident_kib(), time.perf_counter()
    try:
        if case.way == "ours":
            device = Device("auto", threads=case.threads)
            device.prepare()
            data = Resident(dataset, recipe, 0, device.where)
            trainees = [Trainee(copy.deepcopy(network), some, data) for some in masks]
            train_together(trainees, recipe, device, [clock], epochs=case.epochs)
        elif case.way == "lightning":
            plain_lightning(network, masks[0], recipe, dataset, case.epochs, case.workers, clock)
        else:
            clock.ends += plain_loop(network, masks[0], recipe, dataset, case.epochs, case.workers)
    except torch.OutOfMemoryError:
        return {}
    epoch = (clock.ends[-1] - clock.ends[0]) / (case.epochs - 1)
    cuda = torch.cuda.is_available()
    memory = torch.cuda.max_memory_allocated() / 2**20 if cuda else (_resident_kib() - before) / 2**10
    return {"startup": max(clock.ends[0] - start - epoch, 0.0), "epoch": epoch, "memory_MiB": memory}


def _resident_kib() -> int:
    """The most this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def summary(case: Case, repeats: list[dict[str, float]]) -> dict[str, Any]:
    """Medians over the repeats, and the least and most images a second."""
    setting = SETTINGS[case.network]
    row: dict[str, Any] = {"network": case.network, "batch": case.batch, "way": case.name, "images": case.images}
    if not all(repeats):
        return row | {"note": "out of memory"}
    rates = [case.images * case.members / one["epoch"] for one in repeats]
    epochs = setting.recipe.epochs * setting.images / case.images
    cell = float(np.median([(one["startup"] + epochs * one["epoch"]) / case.members for one in repeats]))
    return row | {
        "images_per_s": float(np.median(rates)),
        "least": min(rates),
        "most": max(rates),
        "startup_s": float(np.median([one["startup"] for one in repeats])),
        "cell_s": cell,
        "cells_per_hour": 3600 / cell,
        "memory_MiB": float(np.median([one["memory_MiB"] for one in repeats])),
        "floor_s": setting.floor,
        "repeats": repeats,
    }
