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
        """Run the tasks, all to their end whatever becomes of one; what is known of the sweep then.

        What other processes are working on comes last: of several that run one sweep, none waits while there is something to make.
        """
        report, store, made = Report(), Store(folder), bundles(tasks)
        left = TimeLeft(store, {one.key for task in tasks for one in task.todo})
        for wait in (False, True):
            for bundle in made:
                if wait and bundle.lacking(store) <= report.failures.keys():
                    continue
                report.add(bundle.run(left, wait))
                if report.stopped:
                    return report
                left.drop(report.failures)
        return report
