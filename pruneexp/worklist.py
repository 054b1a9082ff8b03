"""Which of a job's cells are left to make, shared out among the processes that work on them; and how far they are."""

import contextlib
from collections.abc import Iterator, Sequence

from pruneexp.cell import Cell
from pruneexp.jobs.job import Job
from pruneexp.measuring.asked import is_measured
from pruneexp.records.record import Record
from pruneexp.records.store import Store
from pruneexp.system.console import console


class Worklist:
    """A job's cells, as the folder of records has them.

    Args:
        job: whose measurements a finished cell must have.
        store: the records.
        cells: the job's.
    """

    def __init__(self, job: Job, store: Store, cells: Sequence[Cell]) -> None:
        self.job, self.store, self.cells = job, store, list(cells)

    def finished(self, cell: Cell, here: bool = False) -> bool:
        """Whether the cell is recorded, with what was asked to be measured; with `here` a record from elsewhere does not count."""
        record = self.store.read(cell.key)
        known = record is not None and is_measured(record, self.job.setting.measurements)
        return known and (self.store.has_folder(cell.key) or not here)

    def missing(self) -> list[Cell]:
        """The cells that are not finished."""
        return [cell for cell in self.cells if not self.finished(cell)]

    def groups(self, cells: Sequence[Cell], members: int) -> list[list[Cell]]:
        """Cells in groups of so many that are trained at once; by themselves those that are only to be measured, and a dense one that
        other cells can start from."""
        trained = self.job.options.when == "trained"
        alone = [cell for cell in cells if self.store.has_folder(cell.key) or (cell.density == 1 and trained)]
        rest = [cell for cell in cells if cell not in alone]
        return [[cell] for cell in alone] + [rest[k : k + members] for k in range(0, len(rest), members)]

    @contextlib.contextmanager
    def claimed(self, cells: Sequence[Cell], wait: bool = False, here: bool = False) -> Iterator[list[Cell]]:
        """Those of the cells that are this process's to finish, held against others until the block ends.

        Not those that are finished, nor, without `wait`, those that another process works on; `here` as for `finished`.
        """
        with contextlib.ExitStack() as claims:
            left = [cell for cell in cells if not self.finished(cell, here)]
            mine = [cell for cell in left if claims.enter_context(self.store.claim(cell.key, wait))]
            yield [cell for cell in mine if not self.finished(cell, here)]


class Countdown:
    """Tells which cell of how many is worked on, how it ended, and how long the others will take.

    Args:
        cells: the job's.
        first: number of the sweep's cells before them.
        total: the sweep's cells.
        workers: processes that work on them.
    """

    def __init__(self, cells: list[Cell], first: int, total: int, workers: int) -> None:
        self.numbers = {cell.key: number for number, cell in enumerate(cells, start=first + 1)}
        self.total, self.workers = total, workers
        self.took: list[float] = []

    def title(self, cell: Cell) -> str:
        names = " ".join(cell.names[group] for group in ("dataset", "model", "scorer", "masker"))
        number = self.numbers.get(cell.key, "(dense)")
        return f"cell {number} of {self.total}  {names} density {cell.density:g} seed {cell.seed}"

    def title_of_all(self, cells: Sequence[Cell]) -> str:
        return f"cells {', '.join(str(self.numbers[cell.key]) for cell in cells)} of {self.total}"

    def tell(self, cell: Cell, record: Record) -> None:
        """One line for a cell that is recorded."""
        outcome = "diverged" if record["diverged"] else f"accuracy {record['accuracy']:.2f} %"
        if record["effective_density"] == 0:
            outcome += " (no input-output path is left)"
        took = sum(record["seconds"].values())
        self.took.append(took)
        console().print(f"{self.title(cell)}: {outcome}, {took:.1f} s; {self.time_left(cell)}", soft_wrap=True)

    def time_left(self, cell: Cell) -> str:
        """For the sweep's cells after this one, at the mean pace of this job's; finished ones will not need it."""
        cells = self.total - self.numbers.get(cell.key, 0)
        minutes = cells * sum(self.took) / len(self.took) / self.workers / 60
        return f"about {minutes:.0f} min left" if minutes >= 1 else "less than a minute left"
