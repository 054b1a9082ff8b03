"""One job as the algorithm: for each density score, mask, treat, measure, train, record."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pruneexp.artifacts import Artifacts
from pruneexp.cell import Cell
from pruneexp.errors import UnwritableError, UserError
from pruneexp.failures import Failure
from pruneexp.jobs.job import Job
from pruneexp.outcome import Trial, files_of, measure_later, record_of
from pruneexp.records import marks
from pruneexp.records.claims import ends_sweep
from pruneexp.records.provenance import git_commit
from pruneexp.records.store import Store
from pruneexp.system.console import console, say
from pruneexp.system.signals import check, shielded
from pruneexp.training.train import Trained
from pruneexp.trials import Trials
from pruneexp.worklist import Countdown, Worklist


def run(
    config: Mapping[str, Any],
    command: str = "",
    numbers: Mapping[float, int] | None = None,
    total: int = 0,
    left: Callable[[], str] | None = None,
) -> list[Failure]:
    """Make the job's cells that have no record yet.

    Cells that another process is working on are left to it and looked at again at the end, so that the job ends
    when all its cells are recorded, whoever made them, or could not be made.

    Args:
        config: one job's configuration.
        command: that runs just this job, for the records.
        numbers: of the cells to make among those that the sweep makes, by density; all of the job's unless given.
        total: how many the sweep makes.
        left: says how long the others will take.

    Returns:
        The cells that could not be made, told as they failed.

    Raises:
        UserError: a configuration fault.
        UnwritableError: no cell can be recorded any more.
    """
    job = Job.of(config)
    git_commit()  # as it is now, not when the last cell is done
    numbers = numbers or {density: k for k, density in enumerate(job.densities, start=1)}
    store = Store(job.options.results_dir, job.options.records)
    shared = Artifacts(job, store)
    maker = Maker(shared, Countdown(numbers, total or len(numbers), left), command)
    with maker.guarded(job.cells(job.precisions()[0])):
        maker.make(Worklist(job, store, job.cells(shared.device.resolved_precision)))
    return list(maker.failures.values())


@dataclass
class Maker:
    """Makes cells.

    Attributes:
        shared: what the job's cells share.
        countdown: tells people how far the sweep is.
        command: that runs just this job, for the records.
        failures: the cells that could not be made, by key.
    """

    shared: Artifacts
    countdown: Countdown
    command: str
    failures: dict[str, Failure] = field(default_factory=dict)

    @functools.cached_property
    def trials(self) -> Trials:
        """How they are pruned and trained."""
        return Trials(self.shared, self.countdown)

    def make(self, work: Worklist) -> None:
        """Make those of a job's cells that are left, in the order of its densities, but a dense network that others need first."""
        shared, store, cells = self.shared, work.store, work.cells
        missing = work.missing()
        pruned = [cell for cell in missing if cell.density < 1]
        starts = [cell for cell in pruned if not store.has_folder(cell.key) or shared.job.options.rewind == "none"]
        _ = shared.data  # without which there is none
        if shared.needs_dense and starts and not store.has_folder(shared.dense_cell.key):
            with work.claimed([shared.dense_cell], wait=True, here=True) as mine:
                self.finish(mine)
            missing = pruned
            if (dense := self.failures.get(shared.dense_cell.key)) is not None:
                self.fail(starts, UserError(f"it needs the trained dense network, and {dense.why}"))
                missing = [cell for cell in pruned if cell not in starts]
                if shared.dense_cell not in cells:  # nobody has asked for it
                    del self.failures[dense.key]
        for group in work.groups(missing, self.trials.members(missing)):
            with work.claimed(group) as mine:
                self.finish(mine)
        for cell in cells:  # that other processes have worked on
            if cell.key not in self.failures:
                with work.claimed([cell], wait=True) as mine:
                    self.finish(mine)

    def finish(self, cells: Sequence[Cell]) -> None:
        """Make and record cells, new ones in one training; a finished one is only measured. The caller holds their claims."""
        store, trials = self.shared.store, []
        for cell in cells:
            check()
            recorded = store.has_folder(cell.key)
            with self.guarded([cell], recorded):
                if recorded:
                    store.amend(cell.key, measure_later(cell, self.shared))
                    console().print(f"{cell.key}: measured.", soft_wrap=True)
                else:
                    trials.append(self.trials.prepared(cell))
        with self.guarded([trial.cell for trial in trials]):
            for trial, trained, devices in self.trials.trained(trials):
                self.record(trial, trained, devices)

    def record(self, trial: Trial, trained: Trained, devices: list[str]) -> None:
        """Leave a trained cell behind."""
        store, cell = self.shared.store, trial.cell
        record = record_of(trial, trained, self.shared, devices, self.command)
        with shielded():
            store.write(cell.key, record, files_of(trial, self.shared), trained.history)
        self.countdown.tell(cell, record)
        if self.shared.job.densities == [1.0]:  # its weights are what the job is for
            console().print(f"its weights: {store.folder / cell.key / 'weights.safetensors'}", soft_wrap=True)

    @contextlib.contextmanager
    def guarded(self, cells: Sequence[Cell], recorded: bool = False) -> Iterator[None]:
        """What goes wrong in the block keeps those of the cells that are not recorded from being made, and no others.

        Args:
            cells: that the block makes.
            recorded: whether they are, and the block only measures them.

        Raises:
            UnwritableError: no cell can be recorded any more.
        """
        store = self.shared.store
        try:
            yield
        except UnwritableError:
            raise
        except Exception as error:
            if isinstance(error, OSError) and ends_sweep(error) and _lies_in(error, store.folder):
                raise UnwritableError(
                    f"{error.filename} cannot be written ({error.strerror}): make room there."
                ) from error
            self.fail([cell for cell in cells if recorded or not store.has_folder(cell.key)], error)

    def fail(self, cells: Sequence[Cell], error: Exception) -> None:
        """Note that the cells could not be made, those that were not before, and tell people."""
        for cell in cells:
            failure = Failure.of(cell.key, self.countdown.name(cell), error)
            if self.failures.setdefault(cell.key, failure) is failure:
                marks.failed(self.shared.store, cell.key, failure.why)
                say(self.countdown.title(cell), f"could not be made: {failure.why}")


def _lies_in(error: OSError, folder: Path) -> bool:
    return isinstance(error.filename, str) and Path(error.filename).absolute().is_relative_to(folder.absolute())
