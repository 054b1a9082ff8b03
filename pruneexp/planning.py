"""What a grid would do: its cells, how many are done, their size and an estimate of the time."""

import statistics

import torch
from rich.table import Table
from torch import nn

from pruneexp.cell import GROUPS
from pruneexp.jobs.job import Job
from pruneexp.network.prunable import prunable
from pruneexp.network.structure import Structure
from pruneexp.recipe import Recipe
from pruneexp.records.record import Record
from pruneexp.records.store import Store
from pruneexp.reports.grouping import rows_of
from pruneexp.sweep import Grid
from pruneexp.system.console import console, visible
from pruneexp.training.device import Device
from pruneexp.training.members import seconds

COLUMNS = ("density", "seeds", "done", "weights", "MACs", "min/cell")
FEW = 16  # images of a step on a CPU
SOME = 200  # recorded cells, over the whole grid, whose times are looked at


def print_plan(grid: Grid) -> None:
    """Print the grid and run none of it.

    Cells of one setting are one row. Weights and MACs are density times the dense network's; where
    layers differ in density, the record has the exact MACs. The time of a missing cell is the median of the grid's recorded ones
    with the same data set, model and recipe on the same device; where there is none, a few timed training steps on random images.
    A cell that goes on from an epoch takes its share of that.
    """
    options, setting = grid.jobs[0].options, grid.jobs[0].setting
    store, out = Store(options.results_dir, options.records), console()
    device: Device = setting.make("trainer")
    device.prepare()
    table = Table(*GROUPS, "options", *COLUMNS, title=f"{options.name}, {len(grid.slots)} cells")
    probes: dict[tuple[str, ...], Probe] = {}
    left, there = 0.0, 0
    for names, members in rows_of(grid).items():
        job, cell = members[0].job, members[0].cells[0]
        pair = (cell.names["dataset"], cell.names["model"], cell.names["recipe"])
        if pair not in probes:
            probes[pair] = Probe(job, device, store, grid)
        probe = probes[pair]
        done = sum(any(cell.key in store for cell in slot.cells) for slot in members)
        seconds = probe.seconds * (1 - job.first_epoch(cell.density) / probe.epochs)
        there += done
        left += (len(members) - done) * seconds
        macs = "" if probe.macs is None else f"{cell.density * probe.macs:.3g}"
        size = (f"{round(cell.density * probe.weights):,}", macs)
        table.add_row(*map(visible, names), str(len(members)), str(done), *size, f"{seconds / 60:.3g}")
    out.print(table)
    how = ", ".join(sorted({probe.how for probe in probes.values()}))
    out.print(
        f"{there} done, {len(grid.slots) - there} missing; about {left / 3600:.2f} hours left on {device.name},"
        f" one cell after another ({how}; where nothing is recorded yet, training only, not scores and masks).",
        soft_wrap=True,
    )


class Probe:
    """Weights, MACs (or None), epochs and seconds of a cell that is trained in all of them, of one (dataset, model, recipe)."""

    def __init__(self, job: Job, device: Device, store: Store, grid: Grid) -> None:
        classes, shape, train_count = job.setting.sizes
        recipe: Recipe = job.setting.make("recipe")
        network = job.setting.network(classes, shape)
        self.epochs = recipe.epochs
        self.weights = sum(weight.numel() for weight in prunable(network).values())
        macs = Structure(network, shape).macs
        self.macs = None if macs is None else sum(macs.values())
        names = job.setting.names()
        mates = [
            cell.key
            for slot in grid.slots
            for cell in slot.cells
            if all(cell.names[g] == names[g] for g in ("dataset", "model", "recipe")) and cell.key in store
        ]
        some = mates[:: 1 + len(mates) // SOME]
        recorded = [record for key in some if (record := store.read(key)) and record["device"] == device.name]
        if recorded:
            self.seconds = statistics.median(whole_seconds(record, recipe.epochs) for record in recorded)
            self.how = "from recorded cells"
        else:
            images = recipe.train_images or train_count
            self.seconds = recipe.epochs * images * _seconds_an_image(network, shape, classes, recipe, device)
            self.how = "from a few timed steps"


def _seconds_an_image(
    network: nn.Module, shape: tuple[int, ...], classes: int, recipe: Recipe, device: Device
) -> float:
    """Seconds of a training step on random images, for each of them."""
    count = recipe.batch_size if device.where.type == "cuda" else min(recipe.batch_size, FEW)
    images = torch.randn(count, *shape, device=device.where).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(classes, (count,), device=device.where)
    return seconds(network, 1, recipe, device, (images, labels)) / count


def whole_seconds(record: Record, epochs: int) -> float:
    """The seconds that a recorded cell would have taken if it had been trained in all epochs, and not in some of them."""
    seconds = record["seconds"]
    trained = record.get("epochs") or epochs
    return float(sum(seconds.values()) + seconds["training"] * (epochs / trained - 1))
