"""Jobs in turn, in this process."""

from collections.abc import Sequence
from dataclasses import dataclass

from pruneexp.components.options import component
from pruneexp.launchers.bundle import bundles
from pruneexp.launchers.task import Report, Task
from pruneexp.records.store import Store
from pruneexp.worklist import TimeLeft


@component("launcher", name="local")
@dataclass(frozen=True)
class Local:
    """Runs jobs one after another."""

    def launch(self, tasks: Sequence[Task], folder: str) -> Report:
        """Run the tasks, all to their end whatever becomes of one; what is known of the sweep then."""
        report = Report()
        left = TimeLeft(Store(folder), {one.key for task in tasks for one in task.todo})
        for bundle in bundles(tasks):
            report.add(bundle.run(left))
            if report.stopped:
                break
            left.drop(report.failures)
        return report
