"""Waiting for Slurm's jobs: each has ended when it has left a result, or when the queue has not listed it for a while."""

import sys
import time
from collections.abc import Callable, Sequence

from pruneexp.errors import UserError
from pruneexp.launchers import slurm_queue
from pruneexp.launchers.slurm_words import Reasons, why_ended
from pruneexp.launchers.submitted import Submitted
from pruneexp.launchers.task import Report, Task
from pruneexp.records.store import Store
from pruneexp.system.signals import shielded
from pruneexp.worklist import TimeLeft

Start = Callable[[Sequence[Task]], list[Submitted]]


class Waiting:
    """For jobs, until each has ended.

    Args:
        jobs: what is waited for.
        again: has Slurm do tasks, each by itself.
        store: where their cells come.
        poll: seconds between two looks.
        lost: seconds after which a job that squeue no longer lists is dead.
        unreachable: seconds for which squeue may fail before jobs are given up.
    """

    def __init__(
        self, jobs: Sequence[Submitted], again: Start, store: Store, poll: float, lost: float, unreachable: float
    ) -> None:
        self.again, self.store, self.poll, self.lost, self.unreachable = again, store, poll, lost, unreachable
        self.report, self.reasons = Report(), Reasons()
        self.left = TimeLeft(store, {one.key for job in jobs for one in job.bundle.todo})
        self.answered = time.monotonic()  # when squeue last did
        self.seen = dict.fromkeys(jobs, self.answered)  # of the jobs that have not ended, when squeue last listed each

    def run(self) -> Report:
        """What is known when all have ended; whatever ends this before leaves them to Slurm."""
        try:
            while self.seen and not self.report.stopped:
                self._look()
                time.sleep(self.poll if self.seen else 0)
        except BaseException:
            if self.seen:
                print(
                    f"pruneexp: {len(self.seen)} Slurm jobs go on, and the same command joins them; this ends them:"
                    f" scancel {slurm_queue.named(self._numbers())}",
                    file=sys.stderr,
                )
            raise
        if self.seen:  # for nothing: they could record no cell
            slurm_queue.cancel(self._numbers())
        return self.report

    def _numbers(self) -> list[str]:
        return [job.number for job in self.seen]

    def _look(self) -> None:
        queue, now = slurm_queue.listed(), time.monotonic()
        if queue is not None:
            self.answered = now
            self.reasons.tell(self._numbers(), queue)
        for job in list(self.seen):
            if queue is None or job.number in queue:  # while squeue is silent no job is dead for it
                self.seen[job] = now
            if job.left_a_result():
                self._end(job)
            elif now - self.seen[job] > self.lost:
                why, meant = why_ended(job)
                self._end(job, why, again=not meant)
            elif now - self.answered > self.unreachable:
                self._end(
                    job,
                    f"Slurm's squeue has not answered for {self.unreachable / 60:.3g} min: no one waits for job {job.number} now.",
                )

    def _end(self, job: Submitted, why: str = "", again: bool = False) -> None:
        with shielded():
            del self.seen[job]
            outcome, apart = job.conclude(self.store, why, again)
            if apart:
                try:
                    self.seen |= dict.fromkeys(self.again([bundle.tasks[0] for bundle in apart]), time.monotonic())
                except (UserError, OSError) as error:
                    outcome = job.bundle.failed(f"{why} {error}").among(job.bundle.lacking(self.store))
            self.report.add(outcome)
        self.left.drop(self.report.failures)
        print(self.left(), flush=True)
