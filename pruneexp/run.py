"""One job: for each density score, mask, treat, measure, train, record; several densities in one training if asked."""

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from pruneexp.artifacts import Artifacts
from pruneexp.cell import Cell
from pruneexp.jobs.job import Job
from pruneexp.measuring.asked import is_measured
from pruneexp.records.provenance import git_commit
from pruneexp.records.store import Store
from pruneexp.system.console import console, say
from pruneexp.training.checkpoint import Checkpoint
from pruneexp.training.loggers import logging_to
from pruneexp.training.members import choose
from pruneexp.training.progress import CellProgress
from pruneexp.training.snapshot import Snapshot
from pruneexp.training.train import Trained, train, train_together
from pruneexp.trial import Trial, files_of, last_figures, measure_later, prepare, record_of

if TYPE_CHECKING:  # at run time pruneexp.training comes first, which makes lightning importable beside a CPU torch
    from lightning import Callback
    from lightning.pytorch.loggers import Logger


def run(config: DictConfig, command: str = "", first: int = 0, total: int = 0, workers: int = 1) -> None:
    """Make the job's cells that have no record yet.

    Cells that another process is working on are left to it and looked at again at the end, so that the job ends
    when all its cells are recorded, whoever made them.

    Args:
        config: one job's configuration.
        command: that runs just this job, for the records.
        first: number of cells in the sweep before this job's, for the progress display.
        total: of the sweep; 0: the job's alone.
        workers: processes that work on the sweep, for the time left.

    Raises:
        UserError: a configuration or data fault, or no room for a record.
    """
    job = Job.of(config)
    git_commit()  # as it is now, not when the last cell is done
    Run(job, command, first, total, workers).all_cells()


class Run:
    """A job under way.

    Args:
        job: the job.
        command, first, total, workers: as for `run`.
    """

    def __init__(self, job: Job, command: str, first: int, total: int, workers: int) -> None:
        self.job, self.command = job, command
        self.store = Store(job.options.results_dir, job.options.records)
        self.shared = Artifacts(job, self.store)
        self.cells = job.cells(self.shared.device.resolved_precision)
        self.countdown = Countdown(self.cells, first, total or len(self.cells), workers)

    def all_cells(self) -> None:
        missing = [cell for cell in self.cells if not self.complete(cell)]
        if self.shared.needs_dense and any(cell.density < 1 for cell in missing):
            self.finish(self.shared.dense_cell, wait=True, folder=True)
            missing = [cell for cell in missing if cell.density < 1]
        new = [cell for cell in missing if not self.store.has_folder(cell.key)]
        for cells in [[cell] for cell in missing if cell not in new] + self.grouped(new):
            if len(cells) == 1:
                self.finish(cells[0], wait=False)
            else:
                self.finish_together(cells)
        for cell in self.cells:
            self.finish(cell, wait=True)

    def grouped(self, cells: list[Cell]) -> list[list[Cell]]:
        """The cells in groups that are trained at once."""
        shared, members = self.shared, 1
        if (
            cells and shared.device.members != 1 and not self.job.setting.removes_neurons
        ):  # what is left differs in shape
            members = choose(shared.initial, shared.recipe, shared.data, shared.device, len(cells))
            if shared.device.members == "auto":
                console().print(f"trainer.members=auto: {members} at once.")
        return [cells[k : k + members] for k in range(0, len(cells), members)]

    def complete(self, cell: Cell) -> bool:
        """Whether the cell is recorded, with what was asked to be measured."""
        record = self.store.read(cell.key)
        return record is not None and is_measured(record, self.job.setting.measurements)

    def finish(self, cell: Cell, wait: bool, folder: bool = False) -> None:
        """Make and record a cell, unless it is recorded or (without `wait`) another process works on it.

        With `folder` it is made here though its record came from elsewhere: its weights are needed.
        """
        if self.complete(cell) and (self.store.has_folder(cell.key) or not folder):
            return
        with self.store.claim(cell.key, wait) as mine:
            if mine and not self.store.has_folder(cell.key):
                self.make([cell])
            elif mine and not self.complete(cell):
                self.store.amend(cell.key, measure_later(cell, self.shared))
                console().print(f"{cell.key}: measured.", soft_wrap=True)

    def finish_together(self, cells: list[Cell]) -> None:
        """Make and record cells in one training, but those that are recorded or that other processes work on."""
        with contextlib.ExitStack() as claims:
            mine = [cell for cell in cells if claims.enter_context(self.store.claim(cell.key))]
            self.make([cell for cell in mine if not self.store.has_folder(cell.key)])

    def make(self, cells: list[Cell]) -> None:
        """Prune, measure, train and record cells, more than one in one training; the caller holds their claims."""
        trials = [prepare(cell, self.shared) for cell in cells]
        for trial, trained, devices in self.trained(trials):
            record = record_of(trial, trained, self.shared, devices, self.command)
            self.countdown.tell(trial, trained)
            self.store.write(trial.cell.key, record, files_of(trial, self.shared), trained.history)
            if self.job.densities == [1.0]:  # its weights are what the job is for
                path = self.store.folder / trial.cell.key / "weights.safetensors"
                console().print(f"its weights: {path}", soft_wrap=True)

    def trained(self, trials: list[Trial]) -> Iterator[tuple[Trial, Trained, list[str]]]:
        """Each trial with how its training went, and the hardware that it ran on."""
        if len(trials) == 1:
            yield self._train(trials[0])
        elif trials:
            yield from self._train_together(trials)

    def _train(self, trial: Trial) -> tuple[Trial, Trained, list[str]]:
        shared, title = self.shared, self.countdown.title(trial.cell)
        means = (shared.recipe, shared.data, shared.device)
        resumed, progress = self.checkpoint(trial, title), CellProgress(title, console())
        callbacks: list[Callback] = [progress, *([resumed] if shared.device.checkpoint_seconds else [])]
        if trial.cell.density == 1 and shared.rewound_path is not None:  # on the way to the dense network
            callbacks.append(
                Snapshot(self.job.options.rewind_epoch, shared.rewound_path, functools.partial(say, title))
            )
        with self._loggers(trial) as loggers:
            try:
                trained = train(trial.network, trial.masks, *means, loggers, callbacks)
            finally:
                progress.stop()
            _log_end(trial, trained, loggers, shared.recipe.epochs)
        trial.seconds["training"] = trained.seconds + resumed.seconds_before
        return trial, trained, resumed.devices

    def _train_together(self, trials: list[Trial]) -> Iterator[tuple[Trial, Trained, list[str]]]:
        """Train all, then log one after another: loggers know one run at a time."""
        shared = self.shared
        means = (shared.recipe, shared.data, shared.device)
        progress = CellProgress(self.countdown.title_of_all(trials), console())
        try:
            networks, masks = [trial.network for trial in trials], [trial.masks for trial in trials]
            results = train_together(networks, masks, *means, callbacks=[progress])
        finally:
            progress.stop()
        for trial, trained in zip(trials, results, strict=True):
            trial.pruned.notes["members"] = len(trials)
            trial.seconds["training"] = trained.seconds
            with self._loggers(trial) as loggers:
                for row in trained.history:
                    for logger in loggers:
                        logger.log_metrics(row, step=int(row["epoch"]))
                _log_end(trial, trained, loggers, shared.recipe.epochs)
            yield trial, trained, [shared.device.name]

    def checkpoint(self, trial: Trial, title: str) -> Checkpoint:
        """Where the cell's training goes on if it was interrupted."""
        device, key = self.shared.device, trial.cell.key
        identity = {"cell": key, "mask": trial.masks_digest, **self.shared.made_by}
        told = functools.partial(say, title)  # it may have to go into another process
        return Checkpoint(self.store.checkpoint(key), identity, device.name, device.checkpoint_seconds, told)

    def _loggers(self, trial: Trial) -> contextlib.AbstractContextManager[list["Logger"]]:
        cell, options = trial.cell, self.job.options
        about = {**cell.names, **cell.description}
        return logging_to(self.job.setting.logger, Path(options.results_dir) / ".logs", options.name, cell.key, about)


def _log_end(trial: Trial, trained: Trained, loggers: list["Logger"], step: int) -> None:
    for logger in loggers:
        logger.log_metrics(last_figures(trial, trained), step=step)


class Countdown:
    """Tells which cell of how many is worked on, how it ended, and how long the others will take.

    Args:
        cells: the job's.
        first: number of the sweep's cells before them.
        total: the sweep's cells.
        workers: processes that work on them.
    """

    def __init__(self, cells: list[Cell], first: int, total: int, workers: int) -> None:
        self.numbers = {cell.key: number for number, cell in enumerate(cells, start=first + 1)}
        self.total, self.workers = total, workers
        self.took: list[float] = []

    def title(self, cell: Cell) -> str:
        names = " ".join(cell.names[group] for group in ("dataset", "model", "scorer", "masker"))
        number = self.numbers.get(cell.key, "(dense)")
        return f"cell {number} of {self.total}  {names} density {cell.density:g} seed {cell.seed}"

    def title_of_all(self, trials: list[Trial]) -> str:
        return f"cells {', '.join(str(self.numbers[trial.cell.key]) for trial in trials)} of {self.total}"

    def tell(self, trial: Trial, trained: Trained) -> None:
        """One line for a cell that is trained."""
        outcome = "diverged" if trained.diverged else f"accuracy {trained.accuracy:.2f} %"
        if trial.fields["effective_density"] == 0:
            outcome += " (no input-output path is left)"
        took = sum(trial.seconds.values())
        self.took.append(took)
        console().print(
            f"{self.title(trial.cell)}: {outcome}, {took:.1f} s; {self.time_left(trial.cell)}", soft_wrap=True
        )

    def time_left(self, cell: Cell) -> str:
        """For the sweep's cells after this one, at the mean pace of this job's; finished ones will not need it."""
        cells = self.total - self.numbers.get(cell.key, 0)
        minutes = cells * sum(self.took) / len(self.took) / self.workers / 60
        return f"about {minutes:.0f} min left" if minutes >= 1 else "less than a minute left"
