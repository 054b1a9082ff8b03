"""A job as it travels to another process, what comes back, and what is told of it."""

import contextlib
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pruneexp.cell import spoken
from pruneexp.errors import UserError
from pruneexp.failures import Failure
from pruneexp.jobs.composing import Source
from pruneexp.jobs.places import LEFT_OUT, without_places
from pruneexp.jobs.words import typed
from pruneexp.system.console import quoted

if TYPE_CHECKING:
    from pruneexp.order import Part
    from pruneexp.records.store import Store
    from pruneexp.sweep import Grid, Slot

HERE = ("hydra.", "launcher=", "launcher.", *LEFT_OUT)


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        failures: the cells that could not be made.
        stopped: why no cell of the sweep can be recorded any more.
    """

    failures: tuple[Failure, ...] = ()
    stopped: str = ""

    def among(self, keys: Collection[str]) -> "Outcome":
        """The same without other cells than these."""
        return replace(self, failures=tuple(one for one in self.failures if one.key in keys))


@dataclass(frozen=True)
class Todo:
    """A cell to make: its key where the launcher puts it, its density, its number among those that the sweep makes."""

    key: str
    density: float
    number: int


@dataclass(frozen=True)
class Task:
    """One job.

    Attributes:
        config: its whole configuration, plain.
        command: that runs just this job, for the records.
        title: what sets it apart from the sweep's other jobs.
        todo: its cells that have no record.
        total: how many the sweep makes.
    """

    config: dict[str, Any]
    command: str
    title: str
    todo: tuple[Todo, ...]
    total: int

    @staticmethod
    def of(plain: dict[str, Any]) -> "Task":
        """The task that `dataclasses.asdict` and JSON have carried."""
        return Task(**{**plain, "todo": tuple(Todo(**one) for one in plain["todo"])})

    @property
    def members(self) -> int | str:
        """How many cells are to be trained at once; "auto" where that is measured."""
        members: int | str = self.config.get("trainer", {}).get("members", 1)
        return members

    def lacking(self, store: "Store") -> set[str]:
        """The keys of its cells that have no record, or one without something that is to be measured, whoever else made it."""
        if not self.config.get("measurement"):
            return {one.key for one in self.todo if not store.has_folder(one.key)}
        from pruneexp.jobs.job import Job
        from pruneexp.measuring.asked import is_measured

        wanted, found = Job.of(self.config).setting.measurements, set()
        for one in self.todo:
            with contextlib.suppress(UserError):  # a damaged record
                if is_measured(store.read(one.key) or {}, wanted):
                    found.add(one.key)
        return {one.key for one in self.todo} - found

    def part(self) -> "Part":
        """The job as a process makes it."""
        from pruneexp.order import Part

        return Part(self.config, self.command, {one.density: one.number for one in self.todo})

    def failed(self, error: Exception | str) -> Outcome:
        """None of the job's cells could be made."""
        if isinstance(error, str):
            return Outcome(tuple(Failure(one.key, self.name(one), error) for one in self.todo))
        return Outcome(tuple(Failure.of(one.key, self.name(one), error) for one in self.todo))

    def name(self, one: Todo) -> str:
        """One of the job's cells, as people are told of it."""
        job, _, seed = self.title.rpartition(" seed ")
        return f"{job} density {one.density:g} seed {seed}"


@dataclass
class Report:
    """What is known of a sweep when its jobs have ended.

    Attributes:
        failures: the cells that could not be made, by key.
        stopped: why no cell can be recorded any more.
    """

    failures: dict[str, Failure] = field(default_factory=dict)
    stopped: str = ""
    told: set[str] = field(default_factory=set)

    def add(self, outcome: Outcome) -> None:
        """Take a job's end into account; where the program is at fault, where, but the same thing only once."""
        self.stopped = self.stopped or outcome.stopped
        for failure in outcome.failures:
            self.failures[failure.key] = failure
            if failure.trace and failure.trace not in self.told:
                self.told.add(failure.trace)
                print(failure.trace, file=sys.stderr, flush=True)


def command_of(grid: "Grid", overrides: Sequence[str]) -> str:
    """The command that runs one job, as typed, without what belongs to this run and this machine."""
    words = [word for word in map(typed, overrides) if not word.startswith(HERE)]
    return spelled([*([] if grid.source.name == Source.name else ["-cn", grid.source.name]), *words])


def spelled(words: Sequence[str]) -> str:
    """The command line that bash takes for these words, in one line of printable characters, without where things lie on this machine."""
    return " ".join(["python -m pruneexp", *map(quoted, without_places(words))])


def tasks(grids: "Sequence[Grid]", left: "Sequence[Slot]") -> list[Task]:
    """The jobs of some grids that have something to do, in their order.

    Args:
        grids: the sweep's.
        left: the cells to make, each once.
    """
    numbers = {slot.cell.key: number for number, slot in enumerate(left, start=1)}
    found = []
    for grid in grids:
        for job, slots, overrides in zip(grid.jobs, grid.by_job, grid.overrides, strict=True):
            keys = [(slot.cell.key, slot.density) for slot in slots]
            todo = tuple(Todo(key, density, numbers[key]) for key, density in keys if key in numbers)
            if todo:
                names = " ".join(spoken(job.setting.names()))
                title = f"{names} seed {job.seed}"
                found.append(Task(job.config, command_of(grid, overrides), title, todo, len(left)))
    return found
