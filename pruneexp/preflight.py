"""What a sweep needs, looked at before anything is trained or written."""

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from pruneexp import fits
from pruneexp.components import foreign
from pruneexp.components.component import Component
from pruneexp.components.values import shown
from pruneexp.errors import UserError
from pruneexp.jobs.job import Job
from pruneexp.layers import Layer, kept_count
from pruneexp.measuring.asked import is_measured
from pruneexp.network.chosen import chosen_weights
from pruneexp.network.prunable import prunable
from pruneexp.network.weights import MASKS, WEIGHTS
from pruneexp.pruning.level_counts import check_levels
from pruneexp.records.provenance import git_commit
from pruneexp.records.store import Store, data_set
from pruneexp.sweep import Grid, Slot
from pruneexp.system.files import check_writable, kind_of, unwritable
from pruneexp.system.tracking import check_installed
from pruneexp.training.device import Device
from pruneexp.training.selection import LAST, Selection

PROCESSES, THREADS = 8, 64  # that a machine with few CPUs can still start: slow, and no harm


@dataclass(frozen=True)
class Found:
    """What is there of a sweep.

    Attributes:
        left: the cells that have no record with all that is to be measured, each once.
        seen: by data set (`pruneexp.records.store.data_set`) and digest of the arrays that records have seen, the key of one of them.
    """

    left: list[Slot]
    seen: dict[tuple[str, str], str]


def look(grids: Sequence[Grid], store: Store) -> Found:
    """Look at all records of the sweep, so that a damaged one is told before any training.

    Raises:
        UserError: one cannot be believed.
    """
    left: dict[str, Slot] = {}
    seen: dict[tuple[str, str], str] = {}
    for grid in grids:
        for slot in grid.slots:
            key, wanted = slot.cell.key, slot.job.setting.measurements
            if (data := store.data_of(key)) is not None:
                name, arrays = data
                seen.setdefault((_data_set(slot.job, name), arrays), key)
            if key not in store or (wanted and not is_measured(store.read(key) or {}, wanted)):
                left.setdefault(key, slot)
    store.seen.save()
    return Found(list(left.values()), seen)


def check_sweep(store: Store, found: Found, elsewhere: Callable[[], None] = lambda: None) -> None:
    """Look whether what the sweep needs is there.

    Args:
        store, found: of the sweep.
        elsewhere: called before anything is written; waits for what has been looked at meanwhile, and raises UserError where that is wrong.

    Raises:
        UserError: it is not; nothing has been written but data that was missing.
    """
    store.check_writable()
    _check_reports(found)
    git_commit()  # which somebody may have told wrongly
    jobs = {id(slot.job.setting): slot.job for slot in found.left}.values()
    for name in {job.setting.logger["name"] for job in jobs}:
        check_installed(name)
    for weights in {job.options.weights for job in jobs}:
        _check_weights(Path(weights))
    networks: dict[str, Network] = {}  # by weights, data set and model
    for job in jobs:
        _check_parts(job)
        _check_trainer(job)
        fits.check_updates(job)
        names = str(
            [job.options.weights, *(job.setting.components[group].identity() for group in ("dataset", "model"))]
        )
        if names not in networks:
            networks[names] = Network.of(job)
        wanted = chosen_weights(networks[names].module, job.options.only, job.options.exclude)
        layers = [layer for layer in networks[names].layers if layer.name in wanted]
        for density in job.densities:
            kept_count(layers, density)
            if density < 1 and job.options.levels > 1:
                check_levels(density, job.options.levels, layers)
    elsewhere()
    selecting = sorted(
        jobs, key=lambda job: Selection.of(job.options) != LAST
    )  # of a data set's jobs the last is looked at
    for job in {str(job.setting.components["dataset"].identity()): job for job in selecting}.values():
        _check_data(job, found.seen)  # last: what is missing is fetched
    with store.claim("0" * 16):
        pass  # the folder can be written


@dataclass(frozen=True)
class Network:
    """A job's network with the weights that it is given, and what it takes."""

    module: nn.Module
    input_shape: tuple[int, ...]

    @staticmethod
    def of(job: Job) -> "Network":
        """As the data set's options describe it; one that has no such options is made first."""
        classes, shape, _ = job.setting.sizes
        fits.check_room(job, classes, shape)
        module = job.setting.network(classes, shape)
        fits.check_runs(job, module, classes, shape)
        job.setting.load_weights(module)
        return Network(module, shape)

    @functools.cached_property
    def layers(self) -> list[Layer]:
        """With no scores."""
        weights = prunable(self.module)
        return [Layer(name, weight, torch.ones_like(weight, dtype=torch.bool)) for name, weight in weights.items()]


def _check_reports(found: Found) -> None:
    """Raise UserError where reports could not be written, which is told before any training rather than after it."""
    for folder in {slot.job.options.report_dir for slot in found.left}:
        try:
            check_writable(Path(folder))
        except OSError as error:
            raise UserError(unwritable(f"report_dir={folder}", error, "report_dir")) from error


def _check_weights(weights: Path) -> None:
    """Raise UserError where weights lie in a finished cell's folder and are not those that it trained, or nobody may look."""
    cell = weights.parent if weights.name == WEIGHTS else weights
    if kind_of(cell / "record.json", "weights"):
        store = Store(cell.parent)
        store.file(cell.name, WEIGHTS)
        record = store.read(cell.name)
        if record is not None and record["asked_density"] < 1:
            store.file(cell.name, MASKS)


def _check_parts(job: Job) -> None:
    """Raise UserError where a recipe, trainer or launcher of the user's is none."""
    for group, method in (("recipe", "learning_rate"), ("trainer", "prepare"), ("launcher", "launch")):
        component = job.setting.components.get(group)
        if component is not None and not foreign.is_ours(component.target):
            made = component.make()
            if not callable(getattr(made, method, None)):
                raise UserError(
                    f"{group} must make something with {method}(), and {component.label} gives {shown(made)}."
                )


def _check_trainer(job: Job) -> None:
    """Raise UserError where the job's device is not to be had, or does not go with the launcher.

    Where the job runs elsewhere no GPU is needed here.
    """
    trainer: Component = job.setting.components["trainer"]
    launcher = job.setting.components.get("launcher")
    there = "" if launcher is None else launcher.about.name
    elsewhere = there == "slurm" and trainer.options.get("accelerator", "auto") != "cpu"
    device: Device = trainer.make(**({"accelerator": "cpu"} if elsewhere else {}))
    batch = job.setting.components["recipe"].value("batch_size")
    if batch is not None and batch < device.devices:
        raise UserError(
            f"recipe.batch_size={batch} leaves some of trainer.devices={device.devices} without an image: ask for fewer."
        )
    cpus = os.cpu_count() or 1
    if there != "slurm":  # its nodes may have more
        if device.where.type == "cpu" and device.devices > max(PROCESSES, cpus):
            raise UserError(
                f"trainer.devices={device.devices} would start as many processes, and this machine has {cpus} CPUs: ask for at most"
                f" {max(PROCESSES, cpus)}."
            )
        if device.threads > max(THREADS, 4 * cpus):
            raise UserError(
                f"trainer.threads={device.threads} is far beyond the {cpus} CPUs of this machine: ask for at most"
                f" {max(THREADS, 4 * cpus)}."
            )
    if device.devices > 1 and there == "gpus":
        raise UserError(
            f"launcher=gpus gives each job one device, and trainer.devices={device.devices} asks for more:"
            " use launcher=local."
        )


def _data_set(job: Job, name: str) -> str:
    """Which data set a job's is, called by this name."""
    return data_set(job.setting.components["dataset"].identity(), name)


def _check_data(job: Job, seen: Mapping[tuple[str, str], str]) -> None:
    """Raise UserError where the data is not to be had, is not what records have seen, or lacks images to select by."""
    dataset = job.setting.dataset()
    Selection.of(job.options).check(dataset.validation)
    own = _data_set(job, dataset.name)
    for (data, digest), key in seen.items():
        if data == own and digest != dataset.digest:
            raise UserError(
                f"the arrays of {dataset.name} are not those that {key} was trained and tested on (sha256"
                f" {dataset.digest[:16]} and {digest[:16]}): bring those back, or take another results_dir for the new ones."
            )
