"""The jobs of ``launcher=slurm`` on this machine, without a cluster: each a process that does what submitit does in a Slurm job.

submitit's own way of doing it starts a process for each job that watches another one; both outlive whoever waits for them, and on
Ctrl-C neither has the time to leave anything behind.
"""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from pruneexp.components.options import component
from pruneexp.components.values import Count
from pruneexp.launchers.bundle import bundles
from pruneexp.launchers.submitted import NOTICE, RunBundle, Submitted, need_submitit, new_folder, remove
from pruneexp.launchers.task import Report, Task
from pruneexp.records.store import Store
from pruneexp.system.signals import end_in_order
from pruneexp.worklist import TimeLeft

AGAIN = 144  # how submitit's local jobs exit that are to be started again
TIMES = 20  # that one may be
NOTICE_SECONDS = 30  # before a job's time is up


@component("launcher", name="slurm_local")
@dataclass(frozen=True)
class SlurmLocal:
    """Runs jobs as Slurm would, on this machine.

    Attributes:
        parallel: jobs at a time.
        gpus_per_node: GPUs that each job sees, the first ones.
        timeout_min: of a job, which is then started again and goes on.
    """

    parallel: Annotated[int, Field(ge=1, le=1024)] = 2
    gpus_per_node: Annotated[int, Field(ge=0, le=1024)] = 0
    timeout_min: Count = 240

    def __post_init__(self) -> None:
        need_submitit("slurm_local")

    def launch(self, tasks: Sequence[Task], folder: str) -> Report:
        """Run the tasks, all to their end whatever becomes of one; what is known of the sweep then."""
        report, store = Report(), Store(folder)
        left = TimeLeft(store, {one.key for task in tasks for one in task.todo})
        path = new_folder(folder)
        numbers = map(str, itertools.count(1))
        waiting = [Submitted(next(numbers), path, one) for one in bundles(tasks, self.parallel)]
        running: list[_Process] = []
        try:
            while (waiting or running) and not report.stopped:
                while waiting and len(running) < self.parallel:
                    running.append(_Process(waiting.pop(0), self.gpus_per_node, 60 * self.timeout_min))
                for process in [process for process in running if process.ended()]:
                    running.remove(process)
                    outcome, again = process.job.conclude(store, process.why())
                    report.add(outcome)
                    waiting += [Submitted(next(numbers), path, one) for one in again]
                    left.drop(report.failures)
                    print(left(), flush=True)
                time.sleep(0.1)
        finally:
            end_in_order(one.process for one in running)
            for one in running:
                one.kill()
            if not report.failures and not report.stopped:
                remove(path)
        return report


class _Process:
    """One job's process, a session of its own: Ctrl-C reaches this one alone, which ends it.

    Its standard input ends when this process does, however that comes about, and the job then with it.
    """

    def __init__(self, job: Submitted, gpus: int, seconds: float) -> None:
        from submitit.core.utils import DelayedSubmission

        self.job, self.seconds = job, seconds
        self.environment = {
            **os.environ,
            "SUBMITIT_EXECUTOR": "local",
            "SUBMITIT_LOCAL_JOB_ID": job.number,
            "CUDA_VISIBLE_DEVICES": ",".join(map(str, range(gpus))),
        }
        submission = DelayedSubmission(RunBundle(attended=True), job.bundle)
        submission.set_timeout(round(seconds / 60), TIMES)
        submission.dump(job.paths.submitted_pickle)
        self._start()

    def _start(self) -> None:
        self.notice = time.monotonic() + max(0.0, self.seconds - NOTICE_SECONDS)
        self.until = time.monotonic() + self.seconds
        with Path(self.job.paths.stdout).open("ab") as out, Path(self.job.paths.stderr).open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-m", "submitit.core._submit", str(self.job.folder)],
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=errors,
                start_new_session=True,
            )

    def ended(self) -> bool:
        """Whether it has; gives notice, kills and starts again as Slurm does."""
        code, now = self.process.poll(), time.monotonic()
        if code is not None and self.process.stdin is not None:
            self.process.stdin.close()
        if code == AGAIN:
            self._start()
        elif code is None and now > self.until:
            self.kill()
        elif code is None and now > self.notice:
            self.process.send_signal(NOTICE)
            self.notice = self.until
        return code not in (None, AGAIN)

    def why(self) -> str:
        """How it ended, where it left no result."""
        code = self.process.returncode
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"job {self.job.number} {how} and left no result.{self.job.last_words()}"

    def kill(self) -> None:
        """End it and what it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with self.process:  # waits for it
            pass
