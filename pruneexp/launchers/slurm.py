"""Jobs on a Slurm cluster, or through the same machinery on this one (submitit, by Meta).

hydra-submitit-launcher asks for its jobs' results in turn and stops at the first that has none, so that one killed job
leaves the others unattended; and submitit takes a job that Slurm's accounting does not know for one that still runs.
Therefore submitit is used directly here, and asked for no more than submitting: a job has ended when it has left a
result, and is dead when the queue no longer lists it and a while later there is still none. No accounting is needed.
"""

import contextlib
import getpass
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from pruneexp.components.options import component
from pruneexp.components.values import Count, Line, Natural, Positive
from pruneexp.errors import UserError
from pruneexp.launchers.task import Outcome, Report, Task

Gpus = Annotated[int, Field(ge=0, le=1024)]
ARRAY = 1000  # jobs in an array: one less than Slurm's MaxArraySize where it is not set


class RunTask:
    """What submitit runs; a job that is out of time is submitted again as it was, and finds its checkpoint."""

    def __call__(self, task: Task, workers: int) -> Outcome:
        outcome = task.run(workers)
        sys.stdout.flush()
        return outcome

    def checkpoint(self, task: Task, workers: int) -> Any:
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, task, workers)


@component("launcher", name="slurm_local")
@dataclass(frozen=True)
class SlurmLocal:
    """Runs jobs through submitit on this machine.

    Attributes:
        parallel: jobs at a time.
        gpus_per_node: GPUs that each job sees, the first ones.
        timeout_min: of a job.
    """

    parallel: Annotated[int, Field(ge=1, le=1024)] = 2
    gpus_per_node: Gpus = 0
    timeout_min: Count = 240

    def __post_init__(self) -> None:
        need_submitit("slurm_local")

    def launch(self, tasks: list[Task], folder: str) -> int:
        """Run the tasks, all to their end whatever becomes of one; the sweep's exit code."""
        import submitit

        with logs(folder) as (path, report):
            executor = submitit.LocalExecutor(path)
            executor.update_parameters(timeout_min=self.timeout_min, gpus_per_node=self.gpus_per_node)
            waiting, running = list(tasks), dict[Any, Task]()
            try:
                while waiting or running:
                    while waiting and len(running) < self.parallel:
                        task = waiting.pop(0)
                        running[executor.submit(RunTask(), task, self.parallel)] = task
                    for job in [job for job in running if job.done()]:
                        report.add(conclude(job, running.pop(job)))
                    time.sleep(0.1)
            finally:
                for job in running:
                    job.cancel()
        return report.code


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
    gpus_per_node: Gpus = 1
    array_parallelism: Count = 64
    partition: Line | None = None
    account: Line | None = None
    qos: Line | None = None
    constraint: Line | None = None
    setup: tuple[str, ...] = ()
    sbatch: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    lost_seconds: Positive = 60
    unreachable_min: Positive = 60
    poll_seconds: Positive = 5

    def __post_init__(self) -> None:
        need_submitit("slurm")
        for program in ("sbatch", "srun", "squeue"):
            if shutil.which(program) is None:
                raise UserError(
                    f"launcher=slurm needs Slurm's {program}, which is not on the PATH: start it on a node of the cluster, or"
                    " try launcher=slurm_local."
                )

    def launch(self, tasks: list[Task], folder: str) -> int:
        """Submit the tasks and wait for all of them; the sweep's exit code. Ctrl-C cancels them.

        Raises:
            UserError: Slurm does not take them.
        """
        with logs(folder) as (path, report):
            waiting = self._submit(tasks, path)
            numbers = sorted({job.job_id.partition("_")[0] for job in waiting})
            print(f"{len(waiting)} Slurm jobs: {', '.join(numbers)}; their logs are in {path}", flush=True)
            try:
                seen = dict.fromkeys(waiting, time.monotonic())
                answered = time.monotonic()
                while waiting:
                    listed, now = self.listed(), time.monotonic()
                    answered = answered if listed is None else now
                    for job in list(waiting):
                        if listed is None or job.job_id in listed:  # while squeue is silent no job is given up for it
                            seen[job] = now
                        dead = now - seen[job] > self.lost_seconds or now - answered > 60 * self.unreachable_min
                        if dead or job.paths.result_pickle.exists():
                            report.add(conclude(job, waiting.pop(job)))
                    time.sleep(self.poll_seconds if waiting else 0)
            finally:
                if waiting:
                    subprocess.run(["scancel", *numbers], check=False)
        return report.code

    def _submit(self, tasks: list[Task], path: Path) -> dict[Any, Task]:
        import submitit

        wanted = ("partition", "account", "qos", "constraint")
        named = {name: value for name in wanted if (value := getattr(self, name)) is not None}
        executor = submitit.SlurmExecutor(path, max_num_timeout=self.max_num_timeout)
        executor.update_parameters(
            job_name="pruneexp",
            time=self.timeout_min,
            mem=f"{round(1024 * self.mem_gb)}MB",
            cpus_per_task=self.cpus_per_task,
            array_parallelism=self.array_parallelism,
            signal_delay_s=self.signal_delay_s,
            setup=list(self.setup),
            additional_parameters={"requeue": True, **self.sbatch},
            **({"gpus_per_node": self.gpus_per_node} if self.gpus_per_node else {}),
            **named,
        )
        jobs: dict[Any, Task] = {}
        workers = min(self.array_parallelism, len(tasks))
        try:
            for start in range(0, len(tasks), ARRAY):
                part = tasks[start : start + ARRAY]
                jobs |= zip(executor.map_array(RunTask(), part, [workers] * len(part)), part, strict=True)
        except submitit.core.utils.FailedJobError as error:
            raise UserError(f"Slurm does not take the jobs: {' '.join(str(error).split())}.") from error
        return jobs

    @staticmethod
    def listed() -> set[str] | None:
        """This user's jobs in the queue, an array's one by one; None if squeue fails."""
        command = ["squeue", "--noheader", "--array", "--format=%i", f"--user={getpass.getuser()}"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return None
        return set(done.stdout.split())


def need_submitit(launcher: str) -> None:
    """Raise UserError where submitit is not installed."""
    if importlib.util.find_spec("submitit") is None:
        raise UserError(f"launcher={launcher} needs the submitit package: pip install 'pruneexp[slurm]'.")


@contextlib.contextmanager
def logs(folder: str) -> Iterator[tuple[Path, Report]]:
    """A new folder for the jobs' logs and results, deleted if all goes well; and the report of how jobs end."""
    parent = Path(folder).resolve() / ".submitit"
    parent.mkdir(exist_ok=True)
    path, report = Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=parent)), Report()
    yield path, report
    if report.code == 0:
        shutil.rmtree(path)
        with contextlib.suppress(OSError):  # others are in it
            parent.rmdir()


def conclude(job: Any, task: Task) -> Outcome:
    """Pass on what an ended job printed, and say how it ended."""
    for line in (job.stdout() or "").splitlines():
        if not line.startswith("submitit "):
            print(f"[{job.job_id}] {line}", flush=True)
    if not job.paths.result_pickle.exists():
        last = " ".join((job.stderr() or "").split()[-30:])
        log = f"; the end of {job.paths.stderr}: {last}" if last else ""
        return Outcome(1, f"{task.title}: job {job.job_id} ended without a result (killed, cancelled, no memory?){log}")
    error = job.exception()
    outcome: Outcome = Outcome(1, f"{task.title}: {error}") if error else job.result()
    return outcome
