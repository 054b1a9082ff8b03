"""Jobs in turn, in this process."""

from dataclasses import dataclass

from pruneexp.components.options import component
from pruneexp.launchers.task import Report, Task


@component("launcher", name="local")
@dataclass(frozen=True)
class Local:
    """Runs jobs one after another."""

    def launch(self, tasks: list[Task], folder: str) -> int:
        """Run the tasks until one goes wrong; the sweep's exit code."""
        report = Report()
        for task in tasks:
            report.add(task.run())
            if report.code:
                break
        return report.code
