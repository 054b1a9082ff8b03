"""Cells under way: pruned and measured, then trained, alone or several at once."""

import contextlib
import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import safetensors.torch

from pruneexp.levels import Levels
from pruneexp.network.masks import everything
from pruneexp.network.prunable import prunable
from pruneexp.order import Piece
from pruneexp.outcome import Trial, changed, graph, last_figures, measure, record_of, trainee_of, update_of
from pruneexp.pruning.rounds import Pruned
from pruneexp.records.record import Record
from pruneexp.system.console import console, say
from pruneexp.system.tracking import LOGS
from pruneexp.tracked import about, conclusion
from pruneexp.training.checkpoint import Checkpoint
from pruneexp.training.lenient import Lenient
from pruneexp.training.loggers import logging_to
from pruneexp.training.progress import CellProgress
from pruneexp.training.selection import Selection
from pruneexp.training.snapshot import Snapshot
from pruneexp.training.train import Trained, Trainee, train_together
from pruneexp.worklist import titles_of_all

if TYPE_CHECKING:  # at run time pruneexp.training comes first, which makes lightning importable beside a CPU torch
    from lightning import Callback
    from lightning.pytorch.loggers import Logger

Ended = Callable[[Trial, Trained, Record], None]


def prepared(piece: Piece) -> Trial:
    """Score, mask, treat, and measure what is left.

    Raises:
        UserError: what scorer, masker, treatments and measurements raise.
    """
    shared, cell = piece.order.shared, piece.cell
    levels = Levels(piece)
    pruned = levels.pruned() if cell.density < 1 else Pruned({})
    network = levels.start()
    begin = time.perf_counter()
    update = update_of(cell, shared)
    first = pruned.masks if update is None else update.start(pruned.masks)
    trainee = trainee_of(cell, shared, network, first)
    fields = graph(shared, network, first, trainee)
    if update is None:  # else of the last masks
        fields |= measure(shared, network, first, trainee)
    seconds = {"scoring": pruned.scoring, "masking": pruned.masking, "measuring": time.perf_counter() - begin}
    masks = safetensors.torch.save(pruned.masks or everything(prunable(network)))
    left = pruned.masks if trainee is network else {}
    began = b"" if update is None else safetensors.torch.save(first)
    return Trial(piece, trainee, left, pruned.notes, fields, seconds, masks, levels.epochs_before, update, began)


def train(trials: Sequence[Trial], ended: Ended) -> None:
    """Train cells of one kind (`pruneexp.means.kind`) at once; each is told as soon as its training has ended.

    Each goes on from its own checkpoint, and leaves one.
    """
    if not trials:
        return
    shared = trials[0].piece.order.shared
    with contextlib.ExitStack() as stack:
        runs = [stack.enter_context(contextlib.ExitStack()) for _ in trials]
        loggers = [run.enter_context(_loggers(trial)) for trial, run in zip(trials, runs, strict=True)]
        trainees = [_trainee(trial, own) for trial, own in zip(trials, loggers, strict=True)]
        checkpoints = [_checkpoint(trial, number) for number, trial in enumerate(trials)]
        snapshots = [one for number, trial in enumerate(trials) if (one := _snapshot(trial, number)) is not None]
        progress = CellProgress(
            titles_of_all([(trial.piece.order.countdown, trial.piece.cell) for trial in trials]), console()
        )
        callbacks: list[Callback] = [progress, *(checkpoints if shared.device.checkpoint_seconds else []), *snapshots]

        going = set(range(len(trials)))

        def told(number: int, trained: Trained) -> None:
            trial = trials[number]
            trial.seconds["training"] = trained.seconds + checkpoints[number].seconds_before
            if len(trials) > 1:
                trial.notes["members"] = len(trials)
            changed(trial, trained)
            record, after = record_of(trial, trained, checkpoints[number].devices), trained.history[-1]["epoch"] + 1
            for logger in loggers[number]:
                logger.log_metrics(last_figures(trial, trained), step=int(after))
                logger.conclude(conclusion(record, trained.history[trained.chosen]))
            runs[number].close()
            going.discard(number)
            if not going:
                progress.stop()  # what is told from now on has the terminal to itself
            ended(trial, trained, record)

        try:
            train_together(trainees, shared.recipe, shared.device, callbacks, told)
        finally:
            progress.stop()


def _trainee(trial: Trial, loggers: Sequence["Logger"]) -> Trainee:
    order = trial.piece.order
    start, selection = order.job.first_epoch(trial.piece.cell.density), Selection.of(order.job.options)
    return Trainee(trial.network, trial.masks, order.shared.data, loggers, start, selection, trial.update)


def _teller(trial: Trial) -> Callable[[str], None]:
    # it may have to go into other processes
    return functools.partial(say, trial.piece.order.countdown.titles(trial.piece.cell))


def _checkpoint(trial: Trial, number: int) -> Checkpoint:
    shared, key = trial.piece.order.shared, trial.piece.key
    identity = {"cell": key, "mask": trial.masks_digest, **shared.made_by}
    every = shared.device.checkpoint_seconds
    return Checkpoint(shared.store.checkpoint(key), identity, shared.device.name, every, _teller(trial), number)


def _snapshot(trial: Trial, number: int) -> Snapshot | None:
    """Of the network that others are rewound to, on the way to the dense one."""
    shared = trial.piece.order.shared
    if trial.piece.cell.density < 1 or shared.rewound_path is None:
        return None
    return Snapshot(shared.job.options.rewind_epoch, shared.rewound_path, _teller(trial), number)


def _loggers(trial: Trial) -> contextlib.AbstractContextManager[list[Lenient]]:
    job = trial.piece.order.job
    return logging_to(job.setting.logger, Path(job.options.results_dir) / LOGS, about(job, trial.piece.cell))
