"""One job from start to finish: for each density score, mask, measure, train, record; several densities at once if asked."""

import contextlib
import copy
import functools
import hashlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors.torch
import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from torch import nn

from pruneexp import __version__
from pruneexp.artifacts import Workbench
from pruneexp.cell import Cell
from pruneexp.job import Job
from pruneexp.maskers.layer import Notes
from pruneexp.measuring.complete import is_measured
from pruneexp.measuring.latency import latency
from pruneexp.measuring.layers import effective_density, layer_rows, network_sums, parameters_left
from pruneexp.measuring.topology import topology_fields
from pruneexp.network.cost import multiply_accumulates
from pruneexp.network.export import exported
from pruneexp.network.masks import Masks, everything
from pruneexp.network.prunable import prunable
from pruneexp.network.removal import remove
from pruneexp.records.provenance import git_commit, provenance
from pruneexp.records.record import Record
from pruneexp.records.store import Store
from pruneexp.system.console import console, say
from pruneexp.training.checkpoint import Checkpoint
from pruneexp.training.loggers import logging_to
from pruneexp.training.members import choose
from pruneexp.training.progress import CellProgress
from pruneexp.training.train import Trained, train, train_together

if TYPE_CHECKING:  # at run time pruneexp.training comes first, which makes lightning importable beside a CPU torch
    from lightning.pytorch.loggers import Logger


def run(config: DictConfig, command: str = "", first: int = 0, workers: int = 1) -> None:
    """Train the job's cells that have no record yet.

    Cells that another process is working on are left to it and looked at again at the end, so that the job ends
    when all its cells are recorded, whoever made them.

    Args:
        config: one job's configuration.
        command: that runs just this job, for the records.
        first: number of cells in the sweep before this job's, for the progress display.
        workers: processes that work on the sweep, for the time left.

    Raises:
        UserError: a configuration or data fault, or no room for a record.
    """
    Run(Job.of(config), command, first, workers).all_cells()


@dataclass
class Ready:
    """A cell that is masked and measured, about to be trained."""

    cell: Cell
    title: str
    network: nn.Module
    masks: Masks
    notes: Notes
    layers: list[dict[str, Any]]
    sums: dict[str, Any]
    measured: Record
    seconds: dict[str, float]
    files: dict[str, bytes]
    resumed: Checkpoint


class Run:
    """A job under way.

    Args:
        job, command, first, workers: as for `run`.
    """

    def __init__(self, job: Job, command: str, first: int, workers: int) -> None:
        self.job, self.command, self.workers = job, command, workers
        git_commit()  # as it is now, not when the last cell is done
        self.store = Store(job.options.results_dir, job.options.records)
        self.bench = Workbench(job, self.store, lambda cell: self.finish(cell, wait=True, needed=True))
        self.cells = job.cells(self.bench.device.resolved_precision)
        self.numbers = {cell.key: number for number, cell in enumerate(self.cells, start=first + 1)}
        self.total = job.options.sweep_cells or len(self.cells)
        self.took: list[float] = []

    def all_cells(self) -> None:
        for cells in self.groups():
            if len(cells) == 1:
                self.finish(cells[0], wait=False)
            else:
                self.finish_together(cells)
        for cell in self.cells:
            self.finish(cell, wait=True)

    def groups(self) -> Iterator[list[Cell]]:
        """The cells that are missing, in groups to be trained at once; others, and a dense one that the rest needs, alone."""
        missing = [cell for cell in self.cells if not self.complete(cell)]
        alone = [
            c
            for c in missing
            if self.store.has_folder(c.key) or (c.density == 1 and self.job.options.when == "trained")
        ]
        yield from ([cell] for cell in alone)
        if rest := [cell for cell in missing if cell not in alone]:
            number = self.members(rest)
            yield from (rest[k : k + number] for k in range(0, len(rest), number))

    def members(self, cells: list[Cell]) -> int:
        """How many of the cells are trained at once."""
        bench = self.bench
        if bench.device.members == 1 or self.job.removes_neurons:  # what is left differs in shape
            return 1
        number = choose(bench.initial, bench.recipe, bench.data, bench.device, len(cells))
        if bench.device.members == "auto":
            console().print(f"trainer.members=auto: {number} at once.")
        return number

    def finish(self, cell: Cell, wait: bool, needed: bool = False) -> None:
        """Make and record a cell, unless it is recorded or (without `wait`) another process works on it.

        A dense network whose weights are needed is made here, though its record came from elsewhere.
        """
        if self.complete(cell) and (self.store.has_folder(cell.key) or not needed):
            return
        with self.store.claim(cell.key, wait) as mine:
            if mine and not self.store.has_folder(cell.key):
                self.make([cell])
            elif mine and not self.complete(cell):
                network = self.start(cell)
                found = safetensors.torch.load(self.store.file(cell.key, "masks.safetensors"))  # in no fixed order
                masks = {name: found[name] for name in prunable(network)}
                self.store.amend(cell.key, self.measured(network, masks, self.trainee(cell, network, masks)))
                console().print(f"{cell.key}: measured.", soft_wrap=True)

    def finish_together(self, cells: list[Cell]) -> None:
        """Make and record cells in one training, but those that are recorded or that other processes work on."""
        with contextlib.ExitStack() as claims:
            mine = [cell for cell in cells if claims.enter_context(self.store.claim(cell.key))]
            self.make([cell for cell in mine if not self.store.has_folder(cell.key)])

    def make(self, cells: list[Cell]) -> None:
        """Mask, measure, train and record cells, more than one in one training; the caller holds their claims."""
        out = console()
        ready = [self.prepare(cell) for cell in cells]
        results = self._train_together(ready, out) if len(ready) > 1 else [self._train(one, out) for one in ready]
        for one, trained in zip(ready, results, strict=True):
            self.store.write(one.cell.key, *self.record(one, trained, out))

    def complete(self, cell: Cell) -> bool:
        """Whether the cell is recorded, with what was asked to be measured."""
        record = self.store.read(cell.key)
        return record is not None and is_measured(record, self.job.options)

    def measured(self, network: nn.Module, masks: Masks, trainee: nn.Module) -> Record:
        """What was asked to be measured of a network under its masks and of what is trained, as fields of the record."""
        kind, fields, shape = self.job.options.topology, Record(), self.bench.data.input_shape
        if kind != "none":
            fields |= topology_fields(network, masks, shape, kind)
        if self.job.options.latency:
            fields["latency"] = latency(trainee, shape, self.bench.device)
        return fields

    def start(self, cell: Cell) -> nn.Module:
        """A copy of the network that the cell's training starts from, before its masks."""
        return copy.deepcopy(self.bench.start if cell.density < 1 else self.bench.initial)

    def trainee(self, cell: Cell, network: nn.Module, masks: Masks) -> nn.Module:
        """What is trained of a network: all of it, or a smaller one where neurons are removed."""
        removes = self.job.removes_neurons and cell.density < 1
        return remove(network, masks, self.bench.data.input_shape) if removes else network

    def prepare(self, cell: Cell) -> Ready:
        """Mask and measure one cell."""
        notes, masks = Notes(), Masks()
        seconds = {"scoring": 0.0, "masking": 0.0}
        if cell.density < 1:
            masks, seconds = self.bench.masks(cell.density, notes)
        network = self.start(cell)
        weights = prunable(network)
        total = sum(weight.numel() for weight in weights.values())
        files = {"masks.safetensors": safetensors.torch.save(masks or everything(weights))}
        start = time.perf_counter()
        trainee = self.trainee(cell, network, masks)
        measured = self.measured(network, masks, trainee)
        effective = effective_density(masks, self.bench.wiring)
        if trainee is not network:
            network, masks = trainee, {}
        layers = layer_rows(network, masks)
        sums = network_sums(layers, multiply_accumulates(network, self.bench.data.input_shape))
        sums |= {"prunable": total, "density": sums["kept"] / total}  # of what there was before any neuron was removed
        sums["parameters"] = parameters_left(network, masks)
        sums["effective_density"] = effective
        seconds["measuring"] = time.perf_counter() - start
        names = " ".join(cell.names[group] for group in ("dataset", "model", "scorer", "masker"))
        title = f"cell {self.numbers.get(cell.key, '(dense)')} of {self.total}  {names} density {cell.density:g} seed {cell.seed}"
        digest = hashlib.sha256(files["masks.safetensors"]).hexdigest()
        resumed = self.checkpoint(cell, digest, functools.partial(say, title))  # it may have to go into another process
        return Ready(cell, title, network, masks, notes, layers, sums, measured, seconds, files, resumed)

    def record(
        self, ready: Ready, trained: Trained, out: Console
    ) -> tuple[Record, dict[str, bytes], list[dict[str, float]]]:
        """A trained cell's record, files and history."""
        cell, sums, seconds = ready.cell, ready.sums, ready.seconds
        seconds["training"] = trained.seconds + ready.resumed.seconds_before
        outcome = "diverged" if trained.diverged else f"accuracy {trained.accuracy:.2f} %"
        if sums["effective_density"] == 0:
            outcome += " (no input-output path is left)"
        took = sum(seconds.values())
        self.took.append(took)
        out.print(f"{ready.title}: {outcome}, {took:.1f} s; {self.time_left(cell)}", soft_wrap=True)
        record: Record = {
            "key": cell.key,
            "names": cell.names,
            "description": cell.description,
            "seed": cell.seed,
            "asked_density": cell.density,
            **sums,
            "accuracy": _finite(trained.accuracy),
            "loss": _finite(trained.loss),
            "train_loss": _finite(trained.history[-1]["train/loss"]),
            "train_accuracy": _finite(trained.history[-1]["train/accuracy"]),
            "diverged": trained.diverged,
            "epochs": len(trained.history),
            "seconds": {name: round(value, 3) for name, value in seconds.items()},
            "peak_memory_bytes": trained.peak_memory_bytes,
            "notes": ready.notes,
            "layers": ready.layers,
            **ready.measured,
            **provenance(self.command, " + ".join(ready.resumed.devices), self.bench.device.resolved_precision),
            "data": {"name": self.bench.data_name, "sha256": self.bench.data_digest},
            "config": _portable(self.job.config),
        }
        if cell.density == 1:
            ready.files["weights.safetensors"] = _packed(ready.network)
            if self.job.densities == [1.0]:  # they are what the job is for
                out.print(f"its weights: {self.store.folder / cell.key / 'weights.safetensors'}", soft_wrap=True)
        elif self.job.removes_neurons:
            ready.files["network.pt2"] = exported(ready.network, self.bench.data.input_shape)
        return record, ready.files, trained.history

    def checkpoint(self, cell: Cell, masks: str, say: Callable[[str], None]) -> Checkpoint:
        """Where the cell's training goes on if it was interrupted; what it must have in common with this process, the masks' digest too."""
        device = self.bench.device
        identity = {
            "cell": cell.key,
            "mask": masks,
            "data": self.bench.data_digest,
            "precision": device.resolved_precision,
            "version of torch": str(torch.__version__),
            "version of pruneexp": f"{__version__} {git_commit()}",
        }
        return Checkpoint(self.store.checkpoint(cell.key), identity, device.name, device.checkpoint_seconds, say)

    def time_left(self, cell: Cell) -> str:
        """For the sweep's cells after this one, at the mean pace of this job's; finished ones will not need it."""
        cells = self.total - self.numbers.get(cell.key, 0)
        minutes = cells * sum(self.took) / len(self.took) / self.workers / 60
        return f"about {minutes:.0f} min left" if minutes >= 1 else "less than a minute left"

    def _train(self, ready: Ready, out: Console) -> Trained:
        bench, progress = self.bench, CellProgress(ready.title, out)
        with self._logging(ready) as loggers:
            try:
                means = (bench.recipe, bench.data, bench.device)
                callbacks = [progress, *([ready.resumed] if bench.device.checkpoint_seconds else [])]
                trained = train(ready.network, ready.masks, *means, loggers, callbacks)
            finally:
                progress.stop()
            self._log(ready, trained, loggers)
        return trained

    def _train_together(self, ready: list[Ready], out: Console) -> list[Trained]:
        """Train all, then log one after another: loggers know one run at a time."""
        bench, numbers = self.bench, [self.numbers[one.cell.key] for one in ready]
        progress = CellProgress(f"cells {', '.join(map(str, numbers))} of {self.total}", out)
        try:
            means = (bench.recipe, bench.data, bench.device)
            results = train_together(
                [one.network for one in ready], [one.masks for one in ready], *means, callbacks=[progress]
            )
        finally:
            progress.stop()
        for one, trained in zip(ready, results, strict=True):
            one.notes["members"] = len(ready)
            with self._logging(one) as loggers:
                for row in trained.history:
                    for logger in loggers:
                        logger.log_metrics(row, step=int(row["epoch"]))
                self._log(one, trained, loggers)
        return results

    def _logging(self, ready: Ready) -> contextlib.AbstractContextManager[list["Logger"]]:
        config, cell = self.job.config, ready.cell
        kind: dict[str, Any] = OmegaConf.to_container(config.logger, resolve=True)  # type: ignore[assignment]
        folder = Path(config.results_dir) / ".logs"
        return logging_to(kind, folder, config.name, cell.key, {**cell.names, **cell.description})

    def _log(self, ready: Ready, trained: Trained, loggers: list["Logger"]) -> None:
        """What is known of a cell at its end."""
        figures = {"test/accuracy": trained.accuracy, "test/loss": trained.loss, "density": ready.sums["density"]}
        figures["graph/imdb"] = ready.sums["imdb"]
        figures |= {f"topology/{name}": value for name, value in ready.measured.get("topology", {}).items()}
        for row in ready.layers:
            figures[f"graph/lambda2/{row['name']}"] = row["lambda2"]
            figures[f"graph/bound_gap/{row['name']}"] = row["bound_gap"]
        for logger in loggers:
            logger.log_metrics(
                {name: value for name, value in figures.items() if value is not None}, step=self.bench.recipe.epochs
            )


def _packed(network: nn.Module) -> bytes:
    return safetensors.torch.save({name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()})


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _portable(config: DictConfig) -> dict[str, Any]:
    """The job's configuration without what belongs to one machine."""
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    for field in (
        "data_dir",
        "results_dir",
        "report_dir",
        "launcher",
        "logger",
        "mode",
        "figures",
        "topology",
        "latency",
        "weights",
        "records",
        "sweep_cells",
    ):
        plain.pop(field)
    return plain
