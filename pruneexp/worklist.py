"""Which of a job's cells are left to make, shared out among the processes that work on them; and how far they are."""

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pruneexp.cell import Cell, spoken
from pruneexp.jobs.job import Job
from pruneexp.measuring.asked import is_measured
from pruneexp.records import marks
from pruneexp.records.record import Record
from pruneexp.records.store import Store
from pruneexp.system.console import fitting, tell
from pruneexp.system.durations import in_words


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

    @contextlib.contextmanager
    def claimed(self, cell: Cell, wait: bool = False, here: bool = False) -> Iterator[bool]:
        """Whether the cell is this process's to finish, held against others until the block ends.

        Not if it is finished, nor, without `wait`, if another process works on it; `here` as for `finished`.
        """
        with contextlib.ExitStack() as claims:
            mine = (
                not self.finished(cell, here)
                and claims.enter_context(self.store.claim(cell.key, wait))
                and not self.finished(cell, here)  # by another process meanwhile
            )
            if mine:
                claims.enter_context(marks.working(self.store, cell.key))
            yield mine


class TimeLeft:
    """How long the cells that a sweep lacks will take, at the pace at which they have come since it began, whoever made them.

    Args:
        store: where they come.
        keys: the cells'.
    """

    def __init__(self, store: Store, keys: Iterable[str]) -> None:
        self.store, self.keys = store, set(keys)
        self.total, self.start = len(self.keys), time.monotonic()

    def drop(self, keys: Iterable[str]) -> None:
        """Cells that will not come."""
        gone = self.keys & set(keys)
        self.keys -= gone
        self.total -= len(gone)

    def __call__(self) -> str:
        self.keys = {key for key in self.keys if not self.store.has_folder(key)}
        if not self.keys:
            return "that was the last"
        made = self.total - len(self.keys)
        if not made:
            return f"{len(self.keys)} left"
        return f"{len(self.keys)} left, about {in_words(len(self.keys) * (time.monotonic() - self.start) / made)}"


class Countdown:
    """Tells which cell of how many is worked on, and how it ended.

    Args:
        numbers: of the sweep's cells that are to be made, those of this job by density.
        total: how many they are.
        left: says how long the others will take; None where whoever started this process does.
    """

    def __init__(self, numbers: Mapping[float, int], total: int, left: TimeLeft | None) -> None:
        self.numbers, self.total, self.left = numbers, total, left

    @staticmethod
    def name(cell: Cell) -> str:
        return f"{' '.join(spoken(cell.names))} density {cell.density:g} seed {cell.seed}"

    def title(self, cell: Cell) -> str:
        if (number := self.numbers.get(cell.density)) is not None:
            return f"cell {number} of {self.total}  {self.name(cell)}"
        return f"{'dense cell  ' if cell.density == 1 else ''}{self.name(cell)}"  # that nobody has asked for

    def titles(self, cell: Cell) -> list[str]:
        """The title, and shorter ones for narrower lines: the last but one has its masker, density and seed, the last its number alone."""
        which = "dense cell" if cell.density == 1 else "cell"
        if (number := self.numbers.get(cell.density)) is not None:
            which = f"cell {number}/{self.total}"
        words = spoken(cell.names)  # the fourth is the masker's
        names = [" ".join(dict.fromkeys(words[k:])) for k in range(4)]
        return [self.title(cell), *(f"{which} {some} {cell.density:g} seed {cell.seed}" for some in names), which]

    def drop(self, cell: Cell) -> None:
        """It will not come."""
        if self.left is not None:
            self.left.drop([cell.key])

    def tell(self, cell: Cell, record: Record) -> None:
        """One line for a cell that is recorded; on a narrow terminal without its seconds, and with as much of its name as fits."""
        outcome = "diverged" if record["diverged"] else f"accuracy {record['accuracy']:.2f} %"
        if record["effective_density"] == 0:
            outcome += " (no input-output path is left)"
        left = "" if self.left is None else f"; {self.left()}"
        whole, *shorter = self.titles(cell)
        seconds = f"{sum(record['seconds'].values()):.1f} s"
        *lines, least = (f"{title}: {outcome}{left}" for title in shorter)
        tell(fitting([f"{whole}: {outcome}, {seconds}{left}", *lines, lines[-1].replace("accuracy ", ""), least]))


def titles_of_all(cells: Sequence[tuple[Countdown, Cell]]) -> list[str]:
    """Of cells that are trained at once, each with its job's countdown; each title shorter than the one before."""
    if len(cells) == 1:
        ((countdown, cell),) = cells
        return countdown.titles(cell)
    numbers, total = [str(countdown.numbers.get(cell.density, "-")) for countdown, cell in cells], cells[0][0].total
    return [f"cells {', '.join(numbers)} of {total}", f"{len(cells)} cells, {numbers[0]}/{total} first"]
