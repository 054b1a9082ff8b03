"""What a command does: it plans, tells how far a sweep is, runs it, reports, checks or exports."""

import functools
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pruneexp.errors import UnwrittenError, UserError
from pruneexp.failures import Failure, summary
from pruneexp.jobs.composing import Source
from pruneexp.jobs.sources import taken_from
from pruneexp.launchers.task import Report, tasks
from pruneexp.records.store import Store
from pruneexp.reports.presets import Presets
from pruneexp.sweep import Grid, expand, grids
from pruneexp.system.collecting import paused
from pruneexp.system.console import say, tell
from pruneexp.system.files import kind_of
from pruneexp.system.tracking import LOGS, asking, has_runs


@dataclass(frozen=True)
class Done:
    """How a command ended.

    Attributes:
        code: its exit code.
        grids: what it asked for.
        failures: the cells that could not be made.
        sources: what a report was put together of, where from= says so: grids, folders and files.
    """

    code: int
    grids: list[Grid]
    failures: list[Failure]
    sources: tuple[Grid | Path, ...] = ()

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
    sources, overrides = taken_from(overrides, source)
    if sources:
        return _report_from(sources, overrides, source, command)
    with paused():
        found = grids(overrides, source)
    options = found[0].jobs[0].options
    for grid in found:
        Presets(grid.folders).chosen("column", grid.jobs[0].options.columns, make=False)
    match options.mode:
        case "plan":
            from pruneexp.planning.plan import print_plan

            for grid in found:
                print_plan(grid)
        case "status":
            from pruneexp.status import print_status

            print_status(found)
        case "check":
            from pruneexp.records.check import check

            return Done(check(options.results_dir, options.records), found, [])
        case "export":
            from pruneexp.exporting import export

            named = f"{os.path.basename(os.path.realpath(options.cell))}.{options.format}"
            tell(str(export(options.cell, named if options.to == "none" else options.to)))
        case "report":
            store = Store(options.results_dir, options.records)
            recorded = _recorded(found, store)
            with asking(any(map(_is_tracked, found))) as answered:
                answered(_logs(found[0]))
                _report(recorded or found[:1], command, store)  # which says that nothing is recorded
        case "run":
            return _run(found, command)
    return Done(0, found, [])


def _run(found: list[Grid], command: str) -> Done:
    """Make what is missing, then report; exit code 1 where something is missing still."""
    from pruneexp.preflight import check_sweep, look

    options = found[0].jobs[0].options
    store = Store(options.results_dir, options.records)
    there = look(found, store)
    report = Report()
    new = any(slot.job.setting.logger["name"] == "wandb" for slot in there.left)
    with asking(new or any(map(_is_tracked, found))) as answered:
        if there.left:
            launcher = found[0].jobs[0].setting.make("launcher")
            with paused():
                check_sweep(store, there, lambda: answered(_logs(found[0])))
            report = launcher.launch(tasks(found, there.left), options.results_dir)
        else:
            answered(_logs(found[0]))
        store.forget_finished()
        if report.stopped:
            raise UserError(report.stopped)
        done = Done(1 if report.failures else 0, found, list(report.failures.values()))
        try:
            missing = _report(_recorded(found, store), command, store, all_there=not there.left)
        finally:
            if done.failures:
                print(f"pruneexp: {done.summary()}", file=sys.stderr)
        return replace(done, code=1) if missing else done


def _logs(grid: Grid) -> Path:
    """Where the loggers of a grid's cells write."""
    return Path(grid.jobs[0].options.results_dir) / LOGS


def _is_tracked(grid: Grid) -> bool:
    """Whether a grid's report goes to W&B, as those of its cells did that were trained here."""
    return grid.jobs[0].setting.logger["name"] == "wandb" and has_runs(_logs(grid))


def _track(grid: Grid, stem: str, paths: Sequence[Path]) -> None:
    """Log a report where it goes to W&B."""
    if _is_tracked(grid):
        from pruneexp.training.wandb_report import log_report

        job = grid.jobs[0]
        log_report(job.setting.logger["project"], _logs(grid), job.options.name, stem, paths)


def _recorded(found: list[Grid], store: Store) -> list[Grid]:
    """Those of which a cell has a record."""
    return [
        grid for grid in found if any(cell.key in store for slot in (grid.whole or grid).slots for cell in slot.cells)
    ]


def _report(found: list[Grid], command: str, store: Store, all_there: bool = False) -> int:
    """Write the reports; how many cells they lack.

    Args:
        found, command, store: what is reported.
        all_there: nothing had to be made. A folder of results that cannot be written, as another's or on a disk that is read only, is then
            no trouble: its report, which would go into it, is only shown.

    Raises:
        UserError: nothing of one is recorded, or it cannot be written.
    """
    from pruneexp.reports.report import write_report

    missing = 0
    with paused():
        for grid in found:
            options = grid.jobs[0].options
            try:
                missing += write_report(grid, command, store, functools.partial(_track, grid))
            except UnwrittenError as error:
                if not all_there or Path(options.results_dir) not in Path(options.report_dir).parents:
                    raise
                say("report", str(error))
    return missing


def _report_from(sources: Sequence[str], overrides: Sequence[str], source: Source, command: str) -> Done:
    """One report of several experiments, and of whatever lies in folders and files of records.

    Raises:
        UserError: there is no such experiment, folder or file, or nothing is recorded of them.
    """
    from pruneexp.reports.report import write
    from pruneexp.reports.subject import of_file, of_grid, together

    found = [Path(one) if kind_of(one) else expand([f"+experiment={one}", *overrides], source) for one in sources]
    named = [one for one in found if isinstance(one, Grid)]
    asked = named[0] if named else expand(overrides, source)
    options = asked.jobs[0].options
    if options.mode != "report":
        raise UserError(f"from= puts what is recorded into one report: type mode=report, got mode={options.mode}.")
    store = Store(options.results_dir, options.records)
    typed = {word.partition("=")[0] for word in overrides}
    own = options.name if "name" in typed else None
    with asking(_is_tracked(asked)) as answered, paused():
        answered(_logs(asked))
        subject = together([of_grid(one, store) if isinstance(one, Grid) else of_file(one, own) for one in found])
        subject = replace(subject, title=options.title) if "title" in typed else subject
        _track(asked, *write(subject, asked, command))
    return Done(0, named or [asked], [], tuple(found))
