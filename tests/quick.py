"""Jobs that take no time, for processes that import little."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

from pruneexp.launchers.bundle import Bundle
from pruneexp.launchers.task import Outcome, Task, Todo


@dataclass(frozen=True)
class Quick(Bundle):
    """Does nothing, but a job called killer kills its process."""

    def run(self, left: Callable[[], str] | None = None, wait: bool = True) -> Outcome:
        if "killer" in (task.title for task in self.tasks):
            os.kill(os.getpid(), signal.SIGKILL)
        return Outcome()


def job(title: str, members: int = 3) -> Task:
    """A job of one cell, trained beside others."""
    return Task({"trainer": {"members": members}}, "", title, (Todo(title, 0.1, 1),), 1)
