"""A job as it travels to another process, and what comes back."""

import re
import shlex
import sys
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from pruneexp.errors import UserError
from pruneexp.jobs.words import typed

if TYPE_CHECKING:
    from pruneexp.jobs.job import Job
    from pruneexp.sweep import Grid

HERE = (
    "hydra.", "data_dir=", "results_dir=", "report_dir=", "records=", "launcher=", "launcher.",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How a job ended: exit code 0, 1 for a failure, 2 for a user's mistake; and what is to be said of it."""

    code: int = 0
    told: str = ""


@dataclass(frozen=True)
class Task:
    """One job.

    Attributes:
        config: its whole configuration, resolved.
        command: that runs just this job, for the records.
        first: number of the sweep's cells before this job's.
        total: the sweep's cells.
        title: what sets it apart from the sweep's other jobs.
    """

    config: dict[str, Any]
    command: str
    first: int
    total: int
    title: str

    def run(self, workers: int = 1) -> Outcome:
        """Run the job in this process, one of so many at work; what goes wrong is returned, not raised."""
        try:
            from pruneexp.system.torchvision_compat import prepare

            prepare()  # before anything imports torchvision
            from pruneexp.run import run

            run(OmegaConf.create(self.config), self.command, self.first, self.total, workers)
        except (UserError, OSError) as error:
            return Outcome(2, str(error))
        except Exception:
            return Outcome(1, traceback.format_exc())
        return Outcome()


class Report:
    """Tells people how jobs end, the same thing only once, and remembers the sweep's exit code.

    A user's mistake (2) goes before a failure (1): it is the one that can be put right.
    """

    def __init__(self) -> None:
        self.code = 0
        self.said: set[str] = set()

    def add(self, outcome: Outcome) -> None:
        self.code = max(self.code, outcome.code)
        if outcome.told and outcome.told not in self.said:
            self.said.add(outcome.told)
            said = f"pruneexp: {outcome.told}" if outcome.code == 2 else outcome.told.rstrip()
            print(said, file=sys.stderr, flush=True)


def command_of(overrides: list[str]) -> str:
    """The command that runs one job, as typed, without what belongs to this run and this machine."""
    words = [typed(override) for override in overrides]
    quoted = [
        shlex.quote(word) if re.search(r"[\s'\"$;&|<>\\]", word) else word
        for word in words
        if not word.startswith(HERE)
    ]
    return " ".join(["python -m pruneexp", *quoted])


def precision_there(job: "Job") -> str:
    """The precision that the job's cells are trained in where its launcher puts it, as far as can be told from here."""
    import torch

    precisions, launcher = job.precisions(), job.setting.components.get("launcher")
    if len(precisions) == 1:
        return precisions[0]
    if launcher is not None and launcher.about.name == "slurm":  # its nodes' GPUs are not this machine's
        return "bf16" if launcher.make().gpus_per_node else "float32"
    return "bf16" if torch.cuda.is_available() else "float32"


def tasks(grid: "Grid") -> list[Task]:
    """The grid's jobs that have something to do, in its order."""
    from pruneexp.measuring.asked import is_measured
    from pruneexp.records.store import Store

    options = grid.jobs[0].options
    store, first, found = Store(options.results_dir, options.records), 0, []
    total = sum(len(job.densities) for job in grid.jobs)
    for job, overrides in zip(grid.jobs, grid.overrides, strict=True):
        records = [store.read(cell.key) for cell in job.cells(precision_there(job))]
        if not all(record and is_measured(record, job.setting.measurements) for record in records):
            config: dict[str, Any] = OmegaConf.to_container(job.config, resolve=True)  # type: ignore[assignment]
            names = " ".join(job.setting.names()[group] for group in ("dataset", "model", "scorer", "masker"))
            task = Task(config, command_of(overrides), first, total, f"{names} seed {job.seed}")
            found.append(task)
        first += len(job.densities)
    return found
