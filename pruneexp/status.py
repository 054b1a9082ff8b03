"""How far a sweep is: what is done, missing, being worked on, by whom and since when, and what failed and why."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from pruneexp.cell import GROUPS
from pruneexp.preflight import look
from pruneexp.records.claims import FAILED, WORKING
from pruneexp.records.marks import Mark, mark_of
from pruneexp.records.store import Store
from pruneexp.reports.grouping import rows_of
from pruneexp.sweep import Grid
from pruneexp.system.console import say, tell, visible
from pruneexp.system.tables import print_table
from pruneexp.worklist import Countdown

SETTINGS = (*GROUPS, "options", "density")
STATES = ("done", "being worked on", "failed", "missing")
SHOWN = 20  # lines of cells of one kind


def print_status(grids: Sequence[Grid]) -> None:
    """Print a table of each grid, a row for the cells that differ in their seeds alone; then the cells that need a word.

    Raises:
        UserError: a record cannot be believed.
    """
    options = grids[0].jobs[0].options
    store = Store(options.results_dir, options.records)
    left = {slot.cell.key: slot.cell for slot in look(grids, store).left}
    marks = {key: mark for key in left if (mark := mark_of(store, key)) is not None}
    for grid in grids:
        rows: list[list[str]] = []
        whole: Counter[str] = Counter()
        for names, slots in rows_of(grid).items():
            counts = Counter(_state(slot.cell.key, left, marks) for slot in slots)
            whole += counts
            rows.append([*map(visible, names), *(str(counts[state] or "") for state in STATES)])
        columns = dict(zip((*SETTINGS, *STATES), zip(*rows, strict=True), strict=True))
        tell(f"{grid.jobs[0].options.name}, {len(grid.slots)} cells")
        print_table(columns, ("masker", "density", *STATES), ("scorer", "options"), SETTINGS)
        tell(", ".join(f"{whole[state]} {state}" for state in STATES) + ".")
    for kind, verb in ((WORKING, "since"), (FAILED, FAILED)):
        some = [(Countdown.name(left[key]), mark) for key, mark in marks.items() if mark.kind == kind]
        for name, mark in some[:SHOWN]:
            why = f": {mark.why}" if mark.why else ""
            say(name, f"{verb} {mark.when}, {mark.by}{why}")
        if len(some) > SHOWN:
            tell(f"and {len(some) - SHOWN} others {'are being worked on' if kind == WORKING else kind}.")


def _state(key: str, left: Collection[str], marks: Mapping[str, Mark]) -> str:
    if key not in left:
        return "done"
    if key not in marks:
        return "missing"
    return "being worked on" if marks[key].kind == WORKING else "failed"
