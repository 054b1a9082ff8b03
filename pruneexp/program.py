"""What a command does: it plans, tells how far a sweep is, runs it, reports or checks."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pruneexp.errors import UserError
from pruneexp.failures import Failure, summary
from pruneexp.jobs.composing import Source
from pruneexp.launchers.task import Report, tasks
from pruneexp.preflight import check_sweep, look
from pruneexp.records.store import Store
from pruneexp.sweep import Grid, grids


@dataclass(frozen=True)
class Done:
    """How a command ended.

    Attributes:
        code: its exit code.
        grids: what it asked for.
        failures: the cells that could not be made.
    """

    code: int
    grids: list[Grid]
    failures: list[Failure]

    def summary(self) -> str:
        """How many cells could not be made, and why; nothing where all could."""
        asked = {slot.cell.key for grid in self.grids for slot in grid.slots}
        return summary(self.failures, len(asked)) if self.failures else ""


def do(overrides: Sequence[str], source: Source, command: str) -> Done:
    """Do what the overrides ask for.

    Args:
        overrides: as typed.
        source: where configurations come from.
        command: the whole command, for reports.

    Raises:
        UserError: a mistake in the overrides, or something that is needed is not there.
    """
    found = grids(overrides, source)
    options = found[0].jobs[0].options
    match options.mode:
        case "plan":
            from pruneexp.planning import print_plan

            for grid in found:
                print_plan(grid)
        case "status":
            from pruneexp.status import print_status

            print_status(found)
        case "check":
            from pruneexp.records.check import check

            return Done(check(options.results_dir, options.records), found, [])
        case "report":
            recorded = _recorded(found, Store(options.results_dir, options.records))
            _report(recorded or found[:1], command)  # which says that nothing is recorded
        case "run":
            return _run(found, command)
    return Done(0, found, [])


def _run(found: list[Grid], command: str) -> Done:
    """Make what is missing, then report; exit code 1 where something is missing still."""
    options = found[0].jobs[0].options
    store = Store(options.results_dir, options.records)
    there = look(found, store)
    report = Report()
    if there.left:
        launcher = found[0].jobs[0].setting.make("launcher")
        check_sweep(store, there)
        report = launcher.launch(tasks(found, there.left), options.results_dir)
    store.forget_finished()
    if report.stopped:
        raise UserError(report.stopped)
    done = Done(1 if report.failures else 0, found, list(report.failures.values()))
    try:
        missing = _report(_recorded(found, store), command)
    finally:
        if done.failures:
            print(f"pruneexp: {done.summary()}", file=sys.stderr)
    return replace(done, code=1) if missing else done


def _recorded(found: list[Grid], store: Store) -> list[Grid]:
    """Those of which a cell has a record."""
    return [grid for grid in found if any(cell.key in store for slot in grid.slots for cell in slot.cells)]


def _report(found: list[Grid], command: str) -> int:
    """Write the reports; how many cells they lack.

    Raises:
        UserError: nothing of one is recorded, or it cannot be written.
    """
    from pruneexp.reports.report import write_report

    return sum(write_report(grid, command) for grid in found)
