"""Cells under way: pruned and measured, then trained, alone or several at once."""

import contextlib
import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import safetensors.torch

from pruneexp.artifacts import Artifacts
from pruneexp.cell import Cell
from pruneexp.measuring.always import always
from pruneexp.network.masks import everything
from pruneexp.network.prunable import prunable
from pruneexp.outcome import Trial, last_figures, measure, trainee_of
from pruneexp.pruning import Pruned
from pruneexp.system.console import console, say
from pruneexp.training.checkpoint import Checkpoint
from pruneexp.training.loggers import logging_to
from pruneexp.training.members import choose
from pruneexp.training.progress import CellProgress
from pruneexp.training.snapshot import Snapshot
from pruneexp.training.train import Trained, train, train_together
from pruneexp.worklist import Countdown

if TYPE_CHECKING:  # at run time pruneexp.training comes first, which makes lightning importable beside a CPU torch
    from lightning import Callback
    from lightning.pytorch.loggers import Logger


@dataclass
class Trials:
    """Makes trials of cells, and trains them.

    Attributes:
        shared: what the job's cells share.
        countdown: knows their titles.
    """

    shared: Artifacts
    countdown: Countdown

    def prepared(self, cell: Cell) -> Trial:
        """Score, mask, treat, and measure what is left.

        Raises:
            UserError: what scorer, masker, treatments and measurements raise.
        """
        shared = self.shared
        pruned = shared.prune(cell.density) if cell.density < 1 else Pruned({})
        network = shared.start(cell)
        begin = time.perf_counter()
        trainee = trainee_of(cell, shared, network, pruned.masks)
        fields = always(network, pruned.masks, trainee, shared.data.input_shape, shared.wiring)
        fields |= measure(shared, network, pruned.masks, trainee)
        seconds = {"scoring": pruned.scoring, "masking": pruned.masking, "measuring": time.perf_counter() - begin}
        masks = safetensors.torch.save(pruned.masks or everything(prunable(network)))
        left = pruned.masks if trainee is network else {}
        return Trial(cell, trainee, left, pruned.notes, fields, seconds, masks)

    def trained(self, trials: Sequence[Trial]) -> Iterator[tuple[Trial, Trained, list[str]]]:
        """Each trial with how its training went, and the hardware that it ran on."""
        if len(trials) == 1:
            yield self._alone(trials[0])
        elif trials:
            yield from self._together(trials)

    def _alone(self, trial: Trial) -> tuple[Trial, Trained, list[str]]:
        shared, title = self.shared, self.countdown.title(trial.cell)
        # both may have to go into other processes
        progress, told = CellProgress(title, console()), functools.partial(say, title)
        every, key = shared.device.checkpoint_seconds, trial.cell.key
        identity = {"cell": key, "mask": trial.masks_digest, **shared.made_by}
        checkpoint = Checkpoint(shared.store.checkpoint(key), identity, shared.device.name, every, told)
        callbacks: list[Callback] = [progress, *([checkpoint] if every else [])]
        if trial.cell.density == 1 and shared.rewound_path is not None:  # on the way to the dense network
            callbacks.append(Snapshot(shared.job.options.rewind_epoch, shared.rewound_path, told))
        with self._loggers(trial) as loggers:
            try:
                means = (shared.recipe, shared.data, shared.device)
                trained = train(trial.network, trial.masks, *means, loggers, callbacks)
            finally:
                progress.stop()
            _log_end(trial, trained, loggers, shared.recipe.epochs)
        trial.seconds["training"] = trained.seconds + checkpoint.seconds_before
        return trial, trained, checkpoint.devices

    def _together(self, trials: Sequence[Trial]) -> Iterator[tuple[Trial, Trained, list[str]]]:
        """Train all, then log one after another: loggers know one run at a time."""
        shared = self.shared
        progress = CellProgress(self.countdown.title_of_all([trial.cell for trial in trials]), console())
        try:
            networks, masks = [trial.network for trial in trials], [trial.masks for trial in trials]
            means = (shared.recipe, shared.data, shared.device)
            results = train_together(networks, masks, *means, callbacks=[progress])
        finally:
            progress.stop()
        for trial, trained in zip(trials, results, strict=True):
            trial.notes["members"] = len(trials)
            trial.seconds["training"] = trained.seconds
            with self._loggers(trial) as loggers:
                for row in trained.history:
                    for logger in loggers:
                        logger.log_metrics(row, step=int(row["epoch"]))
                _log_end(trial, trained, loggers, shared.recipe.epochs)
            yield trial, trained, [shared.device.name]

    def members(self, cells: Sequence[Cell]) -> int:
        """How many of the cells are trained at once."""
        shared, job = self.shared, self.shared.job
        new = [cell for cell in cells if not shared.store.has_folder(cell.key)]
        if not new or shared.device.members == 1 or job.setting.removes_neurons:  # what is left differs in shape
            return 1
        members = choose(shared.initial, shared.recipe, shared.data, shared.device, len(new))
        if shared.device.members == "auto":
            console().print(f"trainer.members=auto: {members} at once.")
        return members

    def _loggers(self, trial: Trial) -> contextlib.AbstractContextManager[list["Logger"]]:
        cell, job = trial.cell, self.shared.job
        folder, about = Path(job.options.results_dir) / ".logs", {**cell.names, **cell.description}
        return logging_to(job.setting.logger, folder, job.options.name, cell.key, about)


def _log_end(trial: Trial, trained: Trained, loggers: Sequence["Logger"], step: int) -> None:
    for logger in loggers:
        logger.log_metrics(last_figures(trial, trained), step=step)
