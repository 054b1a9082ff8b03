"""What a grid would do: its cells, how many are done, their size and an estimate of the time."""

import statistics
import time

import torch
from rich.markup import escape
from rich.table import Table

from pruneexp.cell import GROUPS
from pruneexp.job import Job
from pruneexp.network.cost import multiply_accumulates
from pruneexp.network.prunable import prunable
from pruneexp.recipe import Recipe
from pruneexp.records.record import Record
from pruneexp.records.store import Store
from pruneexp.reports.frame import Labels
from pruneexp.sweep import Grid, Slot
from pruneexp.system.console import console
from pruneexp.training.device import Device


def print_plan(grid: Grid) -> None:
    """Print the grid and run none of it.

    Cells of one setting are one row. Weights and MACs are density times the dense network's; where
    layers differ in density, the record has the exact MACs. The time of a missing cell is the median of the recorded ones with the
    same model and recipe on the same device; where there is none, a few timed steps on random images.
    """
    options = grid.jobs[0].options
    store, out = Store(options.results_dir, options.records), console()
    device: Device = grid.jobs[0].component("trainer")
    device.prepare()
    rows: dict[tuple[str, ...], list[Slot]] = {}
    labels = Labels(grid.jobs)
    for slot in grid.slots:
        names = dict(slot.cells[0].names)
        names["masker"] += labels.variant(slot.job, dense=slot.density == 1)
        rows.setdefault((*names.values(), f"{slot.density:g}"), []).append(slot)
    columns = (*GROUPS, "density", "seeds", "done", "weights", "MACs", "min/cell")
    table = Table(*columns, title=f"{options.name}, {len(grid.slots)} cells")

    def finished(slot: Slot) -> bool:
        return any(cell.key in store for cell in slot.cells)

    probes: dict[tuple[str, ...], Probe] = {}
    left = 0.0
    for setting, members in rows.items():
        job, cell = members[0].job, members[0].cells[0]
        pair = (cell.names["dataset"], cell.names["model"], cell.names["recipe"])
        if pair not in probes:
            probes[pair] = Probe(job, device, store, grid)
        probe = probes[pair]
        done = sum(map(finished, members))
        left += (len(members) - done) * probe.seconds
        size = (f"{round(cell.density * probe.weights):,}", f"{cell.density * probe.macs:.3g}")
        table.add_row(*map(escape, setting), str(len(members)), str(done), *size, f"{probe.seconds / 60:.3g}")
    out.print(table)
    there = sum(map(finished, grid.slots))
    how = ", ".join(sorted({probe.how for probe in probes.values()}))
    out.print(
        f"{there} done, {len(grid.slots) - there} missing; about {left / 3600:.2f} hours left on {device.name},"
        f" one cell after another ({how}; where nothing is recorded yet, training only, not scores and masks).",
        soft_wrap=True,
    )


class Probe:
    """Weights, MACs and seconds per cell of one (dataset, model, recipe)."""

    def __init__(self, job: Job, device: Device, store: Store, grid: Grid) -> None:
        dataset = job.setting.components["dataset"].options
        shape = tuple(dataset["image_shape"])
        recipe: Recipe = job.component("recipe")
        network = job.component("model", num_classes=dataset["classes"], input_shape=shape)
        self.weights = sum(weight.numel() for weight in prunable(network).values())
        self.macs = sum(multiply_accumulates(network, shape).values())
        names = job.names()
        mates = (
            cell
            for slot in grid.slots
            for cell in slot.cells
            if all(cell.names[g] == names[g] for g in ("dataset", "model", "recipe"))
        )
        recorded = [record for cell in mates if (record := store.read(cell.key)) and record["device"] == device.name]
        if recorded:
            self.seconds, self.how = statistics.median(map(_total, recorded)), "from recorded cells"
        else:
            images = recipe.train_images or dataset["train_count"]
            self.seconds, self.how = (
                self._timed(network.to(device.where), shape, recipe, device, images),
                "from a few timed steps",
            )

    @staticmethod
    def _timed(network: torch.nn.Module, shape: tuple[int, ...], recipe: Recipe, device: Device, images: int) -> float:
        """Seconds for all epochs at the speed of the second and third of three training steps."""
        batch = recipe.batch_size if device.where.type == "cuda" else min(recipe.batch_size, 32)
        sample = torch.randn(batch, *shape, device=device.where)
        for step in range(3):
            if step == 1:
                start = time.perf_counter()
            with device.autocast():
                loss = network(sample).float().logsumexp(dim=1).mean()
            loss.backward()
            loss.item()
        return (time.perf_counter() - start) / 2 / batch * images * recipe.epochs


def _total(record: Record) -> float:
    return float(sum(record["seconds"].values()))
