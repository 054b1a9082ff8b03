"""What one process does at once: a job, or several whose cells are trained side by side."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pruneexp.errors import UnwritableError
from pruneexp.launchers.task import Outcome, Task, Todo
from pruneexp.system.collecting import paused
from pruneexp.worklist import TimeLeft

if TYPE_CHECKING:
    from pruneexp.records.store import Store


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

    def apart(self, store: "Store") -> list["Bundle"]:
        """What is tried again when the process that ran it has died without a word: of several jobs each by itself that has something
        left to do, for it may be the fault of one alone."""
        return [replace(self, tasks=(task,)) for task in self.tasks if len(self.tasks) > 1 and task.lacking(store)]

    def run(self, left: TimeLeft | None = None, wait: bool = True) -> Outcome:
        """Run the jobs in this process; what goes wrong is returned, not raised.

        Args:
            left: says how long the sweep's other cells will take.
            wait: for the cells that other processes work on.
        """
        try:
            with paused():
                from pruneexp.running import run

            return Outcome(tuple(run([task.part() for task in self.tasks], self.tasks[0].total, left, wait)))
        except UnwritableError as error:
            return Outcome(stopped=str(error))
        except Exception as error:
            return self.failed(error)

    def lacking(self, store: "Store") -> set[str]:
        """The keys of the cells that are not all that they are to be, as `Task.lacking`."""
        return {key for task in self.tasks for key in task.lacking(store)}

    def failed(self, error: Exception | str) -> Outcome:
        """None of the cells could be made."""
        return Outcome(tuple(failure for task in self.tasks for failure in task.failed(error).failures))


def bundles(tasks: Sequence[Task], workers: int | None = 1) -> list[Bundle]:
    """The jobs as processes get them: each by itself, unless its cells are to be trained beside others' (`trainer.members`).

    Args:
        tasks: a sweep's, in their order.
        workers: processes that take bundles in turn; None where there is one for each, which then gets what is trained at once.
    """
    from pruneexp.means import kind

    left = total = sum(len(task.todo) for task in tasks)
    made: list[list[Task]] = []
    open_: dict[str, tuple[list[Task], int]] = {}  # of each kind what may still grow, and to how many cells
    for task in tasks:
        alike = kind(task.config)
        some, share = open_.get(alike, ([], 0))
        if task.members == 1 or sum(len(one.todo) for one in some) >= share:
            some = []
            open_[alike] = some, _share(at_once(task), left, total, workers)
            made.append(some)
        some.append(task)
        left -= len(task.todo)
    return [Bundle(tuple(some)) for some in made]


def at_once(task: Task) -> int:
    """How many cells of its kind are trained at once, at most."""
    from pruneexp.training.members import MOST

    return MOST if task.members == "auto" else int(task.members)


def _share(at_once: int, left: int, total: int, workers: int | None) -> int:
    """Cells for the next bundle: so few of those left that the other workers have as much to do if it takes twice as long as thought,
    in whole groups of those trained at once, but no more than a worker gets where all get the same."""
    if workers is None:
        return at_once
    return min(math.ceil(total / workers), at_once * math.ceil(left / (2 * workers - 1) / at_once))
