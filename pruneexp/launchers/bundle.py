"""What one process does at once: a job, or several whose cells are trained side by side."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pruneexp.errors import UnwritableError
from pruneexp.launchers.task import Outcome, Task, Todo
from pruneexp.worklist import TimeLeft


@dataclass(frozen=True)
class Bundle:
    """Jobs of one kind (`pruneexp.means.kind`)."""

    tasks: tuple[Task, ...]

    @staticmethod
    def of(plain: dict[str, Any]) -> "Bundle":
        """The bundle that `dataclasses.asdict` and JSON have carried."""
        return Bundle(tuple(map(Task.of, plain["tasks"])))

    @property
    def todo(self) -> list[Todo]:
        """The cells to make."""
        return [one for task in self.tasks for one in task.todo]

    @property
    def title(self) -> str:
        """What sets it apart from others."""
        others = len(self.tasks) - 1
        return self.tasks[0].title + (f" and {others} other job{'s' * (others > 1)}" if others else "")

    def run(self, left: TimeLeft | None = None) -> Outcome:
        """Run the jobs in this process; what goes wrong is returned, not raised.

        Args:
            left: says how long the sweep's other cells will take.
        """
        try:
            from pruneexp.system.torchvision_compat import prepare

            prepare()  # before anything imports torchvision
            from pruneexp.running import run

            return Outcome(tuple(run([task.part() for task in self.tasks], self.tasks[0].total, left)))
        except UnwritableError as error:
            return Outcome(stopped=str(error))
        except Exception as error:
            return self.failed(error)

    def failed(self, error: Exception | str) -> Outcome:
        """None of the cells could be made."""
        return Outcome(tuple(failure for task in self.tasks for failure in task.failed(error).failures))


def bundles(tasks: Sequence[Task], workers: int = 1, most: float = math.inf) -> list[Bundle]:
    """The jobs as processes get them: each by itself, unless its cells are to be trained beside others' (`trainer.members`).

    Args:
        tasks: a sweep's, in their order.
        workers: processes among which they are shared out.
        most: cells that a process gets, but for the last job's.
    """
    from pruneexp.means import kind

    share = min(most, math.ceil(sum(len(task.todo) for task in tasks) / workers))
    made: list[list[Task]] = []
    open_: dict[str, list[Task]] = {}  # of each kind what may still grow
    for task in tasks:
        alike = kind(task.config)
        if task.members == 1 or alike not in open_ or sum(len(one.todo) for one in open_[alike]) >= share:
            open_[alike] = []
            made.append(open_[alike])
        open_[alike].append(task)
    return [Bundle(tuple(some)) for some in made]
