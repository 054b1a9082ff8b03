"""What a sweep needs, looked at before anything is trained or written."""

from pathlib import Path

import torch

from pruneexp.cell import Cell
from pruneexp.components.component import Component
from pruneexp.errors import UserError
from pruneexp.jobs.job import Job
from pruneexp.launchers.task import precision_there
from pruneexp.maskers.layer import Layer, kept_count
from pruneexp.measuring.asked import is_measured
from pruneexp.network.prunable import prunable
from pruneexp.records.record import Record
from pruneexp.records.store import Store
from pruneexp.sweep import Grid
from pruneexp.training.device import Device
from pruneexp.training.members import check_members


def check_sweep(grid: Grid, store: Store) -> bool:
    """Whether anything is left to do; where it is, what each job of the grid needs has been found to be there.

    Raises:
        UserError: it is not; nothing has been written.
    """
    # all of them: a damaged one is told before any training
    records = [store.read(cell.key) for cell in cells_there(grid)]
    measurements = grid.jobs[0].setting.measurements
    for record in records:
        if record is not None:
            store.forget(record["key"])
    if all(record is not None and is_measured(record, measurements) for record in records):
        return False
    store.check_writable()
    for weights in {job.options.weights for job in grid.jobs}:
        _check_weights(Path(weights))
    seen = [record for record in records if record is not None]
    layers: dict[str, list[Layer]] = {}  # by data set and model
    for job in {id(job.setting): job for job in grid.jobs}.values():
        trainer = _trainer(job)
        names = str([job.setting.components[group].identity() for group in ("dataset", "model")])
        if names not in layers:
            layers[names] = _check_network(job, trainer, seen)
        for density in job.densities:
            kept_count(layers[names], density)
    with store.claim("0" * 16):
        pass  # the folder can be written
    return True


def cells_there(grid: Grid) -> list[Cell]:
    """The grid's cells in the precision that they are trained in where the launcher puts them."""
    return [slot.job.cell(slot.density, precision_there(slot.job)) for slot in grid.slots]


def _check_weights(weights: Path) -> None:
    """Raise UserError where weights lie in a finished cell's folder and are not those that it trained."""
    cell = weights.parent if weights.name == "weights.safetensors" else weights
    if (cell / "record.json").exists():
        Store(cell.parent).file(cell.name, "weights.safetensors")


def _trainer(job: Job) -> Device:
    """The job's device; where the job runs elsewhere no GPU is needed here.

    Raises:
        UserError: it is not to be had, or does not go with the launcher.
    """
    trainer: Component = job.setting.components["trainer"]
    launcher = job.setting.components.get("launcher")
    there = "" if launcher is None else launcher.about.name
    elsewhere = there == "slurm" and trainer.options.get("accelerator", "auto") != "cpu"
    device: Device = trainer.make(**({"accelerator": "cpu"} if elsewhere else {}))
    if device.devices > 1 and there == "gpus":
        raise UserError(
            f"launcher=gpus gives each job one device, and trainer.devices={device.devices} asks for more:"
            " use launcher=local."
        )
    return device


def _check_network(job: Job, trainer: Device, records: list[Record]) -> list[Layer]:
    """The network's layers; raises UserError where data or network are not to be had, or are not what records have seen."""
    dataset = job.setting.dataset()
    for record in records:
        data = record["data"]
        if data is not None and data["name"] == dataset.name and data["sha256"] != dataset.digest:
            raise UserError(
                f"the arrays of {dataset.name} are not those that {record['key']} was trained and tested on (sha256"
                f" {dataset.digest[:16]} and {data['sha256'][:16]}): bring those back, or take another results_dir for the new ones."
            )
    network = job.setting.make("model", num_classes=dataset.classes, input_shape=dataset.input_shape)
    check_members(trainer, network, dataset.input_shape)
    weights = prunable(network)
    return [Layer(name, weight, torch.ones_like(weight, dtype=torch.bool)) for name, weight in weights.items()]
