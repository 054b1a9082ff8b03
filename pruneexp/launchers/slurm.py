"""Jobs on a Slurm cluster, by submitit (of Meta).

hydra-submitit-launcher asks for its jobs' results in turn and stops at the first that has none, so that one killed job
leaves the others unattended; and submitit takes a job that Slurm's accounting does not know for one that still runs.
Therefore submitit is used directly here, and asked for no more than submitting: a job has ended when it has left a
result, and is dead when the queue no longer lists it and a while later there is still none. No accounting is needed.
"""

import functools
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from pruneexp.components.options import component
from pruneexp.components.values import Count, Line, Natural, Positive, Words
from pruneexp.errors import UserError
from pruneexp.launchers import slurm_queue
from pruneexp.launchers.bundle import Bundle, bundles
from pruneexp.launchers.slurm_joining import join, name_of, note, noted, tidy
from pruneexp.launchers.slurm_waiting import Waiting
from pruneexp.launchers.submitted import RunBundle, Submitted, need_submitit, new_folder, remove
from pruneexp.launchers.task import Report, Task
from pruneexp.records.store import Store
from pruneexp.system.signals import shielded

OURS = (  # options of sbatch by which jobs are found again, told that their time ends, and started at all
    "array", "chdir", "error", "job-name", "open-mode", "output", "signal", "wait", "wrap",
)  # fmt: skip
Order = Annotated[str, Field(pattern=r"^[^\x00]+$"), Words("a line of a shell's")]
Sbatch = Annotated[  # each is a line of a script that a shell runs
    Mapping[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")], Line | int | float | bool | None],
    Words(
        "a mapping of sbatch's long options, without dashes, to numbers or one line of text, such as {comment: mine}"
    ),
]
ARRAY = 1000  # jobs in an array: one less than Slurm's MaxArraySize where it is not set


@component("launcher", name="slurm")
@dataclass(frozen=True)
class Slurm:
    """Runs jobs on a Slurm cluster that this machine can submit to.

    Attributes:
        timeout_min: of a job; one that needs longer is requeued and goes on, up to `max_num_timeout` times.
        signal_delay_s: seconds of notice before.
        cpus_per_task, mem_gb, gpus_per_node, partition, account, qos, constraint: as sbatch has them.
        array_parallelism: jobs at a time.
        setup: shell lines that run before a job.
        sbatch: further options of sbatch.
        lost_seconds: a job that squeue no longer lists and that left no result within this time is dead.
        unreachable_min: how long squeue may fail before unfinished jobs are given up.
        poll_seconds: between two looks.
    """

    timeout_min: Count = 240
    max_num_timeout: Natural = 20
    signal_delay_s: Natural = 120
    cpus_per_task: Count = 4
    mem_gb: Positive = 16
    gpus_per_node: Annotated[int, Field(ge=0, le=1024)] = 1
    array_parallelism: Count = 64
    partition: Line | None = None
    account: Line | None = None
    qos: Line | None = None
    constraint: Line | None = None
    setup: tuple[Order, ...] = ()
    sbatch: Sbatch = field(default_factory=dict)
    lost_seconds: Positive = 60
    unreachable_min: Positive = 60
    poll_seconds: Positive = 5

    def __post_init__(self) -> None:
        need_submitit("slurm")
        if told := [name for name in self.sbatch if name.replace("_", "-") in OURS]:
            raise UserError(f"launcher.sbatch.{told[0]} is set by the launcher itself: leave it out.")
        for program in ("sbatch", "srun", "squeue"):
            if shutil.which(program) is None:
                raise UserError(
                    f"launcher=slurm needs Slurm's {program}, which is not on the PATH: start it on a node of the cluster, or"
                    " try launcher=slurm_local."
                )

    def launch(self, tasks: Sequence[Task], folder: str) -> Report:
        """Have the tasks done, by jobs that are in the queue already or new ones, and wait for all of them; what is known of the sweep
        then. Ending this leaves the jobs to Slurm.

        Raises:
            UserError: Slurm does not take them, or could never start them.
        """
        tidy(folder)
        jobs = self._start(tasks, folder)
        again = functools.partial(self._start, folder=folder, apart=True)
        times = self.poll_seconds, self.lost_seconds, 60 * self.unreachable_min
        report = Waiting(jobs, again, Store(folder), *times).run()
        tidy(folder)
        return report

    def _start(self, tasks: Sequence[Task], folder: str, apart: bool = False) -> list[Submitted]:
        """The jobs that do the tasks, each by itself if asked: those in the queue already, and new ones."""
        joined, rest = self._joined(tasks, folder)
        if rest:
            self._check_fits()
        with shielded():  # what has been submitted is not lost sight of
            made = [Bundle((task,)) for task in rest] if apart else bundles(rest, None)
            new = self._submit(made, folder) if rest else []
        jobs = [*joined, *new]
        told = [
            f"{len(some)} {verb} ({' '.join(slurm_queue.shortened(job.number for job in some))})"
            for some, verb in ((joined, "joined"), (new, "submitted"))
            if some
        ]
        print(
            f"Slurm jobs: {', '.join(told)}; their logs are in {os.path.commonpath([job.folder for job in jobs])}",
            flush=True,
        )
        return jobs

    @staticmethod
    def _joined(tasks: Sequence[Task], folder: str) -> tuple[list[Submitted], list[Task]]:
        """The jobs in the queue that do some of the tasks, and the other tasks."""
        submissions = noted(folder)
        if not submissions:
            return [], list(tasks)
        queue = slurm_queue.listed()
        if queue is None:
            raise UserError(
                "Slurm's squeue does not answer, and jobs of this sweep may be in the queue already: wait until it does."
            )
        return join(tasks, submissions, queue)

    def _check_fits(self) -> None:
        """Raise UserError where no node is large enough: Slurm takes such jobs, and never starts them."""
        partition = self.partition or self.sbatch.get("partition") or os.environ.get("SBATCH_PARTITION")
        node = slurm_queue.largest(None if partition is None else str(partition))
        if node is None:
            return
        where = f"partition {partition}" if partition else "Slurm's usual partition"
        for option, asked, there, unit in (
            ("cpus_per_task", self.cpus_per_task, node.cpus, "CPUs"),
            ("mem_gb", self.mem_gb, node.memory / 1024, "GB"),
        ):
            if asked > there:
                raise UserError(
                    f"launcher.{option}={asked:g} is more than any node of {where} has, the largest {there:.4g} {unit}: no job could"
                    f" ever start; lower launcher.{option} or name another launcher.partition."
                )

    def _submit(self, made: Sequence[Bundle], results: str) -> list[Submitted]:
        import submitit

        folder = new_folder(results)
        executor = submitit.SlurmExecutor(folder, max_num_timeout=self.max_num_timeout)
        executor.update_parameters(**self._parameters(folder))
        jobs: list[Submitted] = []
        try:
            for start in range(0, len(made), ARRAY):
                part = made[start : start + ARRAY]
                numbers = [job.job_id for job in executor.map_array(RunBundle(), part)]
                jobs += [Submitted(number, folder, bundle) for number, bundle in zip(numbers, part, strict=True)]
                note(folder, jobs)
        except submitit.core.utils.FailedJobError as error:
            if jobs:
                slurm_queue.cancel(job.number for job in jobs)
            remove(folder)
            raise UserError(f"Slurm does not take the jobs: {' '.join(str(error).split())}.") from error
        return jobs

    def _parameters(self, folder: Path) -> dict[str, Any]:
        """As submitit has them."""
        named = {name: getattr(self, name) for name in ("partition", "account", "qos", "constraint")}
        return {
            "job_name": name_of(folder),
            "time": self.timeout_min,
            "mem": f"{round(1024 * self.mem_gb)}MB",
            "cpus_per_task": self.cpus_per_task,
            "array_parallelism": self.array_parallelism,
            "signal_delay_s": self.signal_delay_s,
            "setup": list(self.setup),
            "additional_parameters": {"requeue": True, **self.sbatch},
            **({"gpus_per_node": self.gpus_per_node} if self.gpus_per_node else {}),
            **{name: value for name, value in named.items() if value is not None},
        }
