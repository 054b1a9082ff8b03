"""What a report is of: a grid as its experiment declares it, or several together; what is recorded of it, and what it is called."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pruneexp.cell import digest
from pruneexp.jobs.declared import stem_of
from pruneexp.jobs.job import PRECISIONS
from pruneexp.records.record import Record
from pruneexp.records.store import Store
from pruneexp.reports.frame import Named, called, named, recorded
from pruneexp.reports.grouping import rows_of
from pruneexp.reports.labels import Labels
from pruneexp.reports.presets import Presets
from pruneexp.reports.titles import Titles
from pruneexp.sweep import Grid


@dataclass(frozen=True)
class Subject:
    """What a report is of.

    Attributes:
        name: the experiment's name and, in brackets, whatever changes its declared grid.
        title: for people.
        grid: digest of the cells that are asked for, as people name them: a report is replaced only by one of the same.
        asked: how many cells that is.
        records: those that are there, with the names they were asked for by.
        presets: that names stand for.
        places: of all cells that are asked for, in either precision, the names that they are asked for by, in the grid's order.
    """

    name: str
    title: str
    grid: str
    asked: int
    records: list[Named]
    presets: Presets
    places: dict[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """Of the files' names."""
        return stem_of(self.name)

    @property
    def labels(self) -> Labels:
        return Labels(self.presets)

    @property
    def titles(self) -> Titles:
        return Titles(self.presets)

    def with_earlier(self, earlier: Mapping[str, Record]) -> "Subject":
        """With what an earlier report had of it and is not there any more, in the grid's order."""
        there = {record["key"]: record for record, _ in self.records}
        both = [(there.get(key) or earlier.get(key), names) for key, names in self.places.items()]
        return replace(self, records=[(record, names) for record, names in both if record is not None])


def of_grid(grid: Grid, store: Store) -> Subject:
    """The whole that a grid is a part of, and what is recorded of all its parts.

    Raises:
        UserError: a record is damaged.
    """
    whole = grid.whole or grid
    options = grid.jobs[0].options
    words = grid.declared.narrows if grid.whole is None else ()
    name = grid.declared.title(words)
    title = options.name if options.title == "none" else options.title
    title += name.removeprefix(options.name).replace("[", " [", 1)
    asked = digest(
        sorted([*names, *sorted(slot.job.seed for slot in slots)] for names, slots in rows_of(whole).items())
    )
    places: dict[str, Mapping[str, str]] = {}
    for slot in whole.slots:
        known = {cell.precision: cell for cell in slot.cells}
        both = [known.get(precision) or slot.job.cell(slot.density, precision) for precision in PRECISIONS]
        places |= {cell.key: cell.names for cell in both}
    return Subject(name, title, asked, len(whole.slots), named(store, places), Presets(grid.folders), places)


def narrowed(subject: Subject, where: str) -> Subject:
    """The subject whose report shows those rows alone: its name says so."""
    if where == "none":
        return subject

    def told(text: str) -> str:
        return f"{text[:-1]},where={where}]" if text.endswith("]") else f"{text}[where={where}]"

    return replace(subject, name=told(subject.name), title=told(subject.title))


def of_file(path: Path, name: str | None = None) -> Subject:
    """All records of a folder or a file.

    Args:
        path: to it.
        name: in place of the path's last part.

    Raises:
        UserError: there is no such folder or file, or a record cannot be believed.
    """
    records = [(record, record["names"]) for record in recorded(path).values()]
    name = name or called(path)
    grid = digest(path.as_posix())  # as it is typed: the same report wherever a checkout lies
    return Subject(name, name, grid, len(records), records, Presets())


def together(subjects: Sequence[Subject]) -> Subject:
    """Several as one, called by all their names: a cell that two of them have is there once.

    Args:
        subjects: at least one.
    """
    if len(subjects) == 1:
        return subjects[0]
    records: dict[str, Named] = {}
    places: dict[str, Mapping[str, str]] = {}
    for one in subjects:
        for record, names in one.records:
            records.setdefault(record["key"], (record, names))
        places |= one.places
    titles = dict.fromkeys(one.title for one in subjects)
    asked = len(places) // len(PRECISIONS) + len(records.keys() - places.keys())
    folders = tuple(dict.fromkeys(folder for one in subjects for folder in one.presets.folders))
    grid = digest([one.grid for one in subjects])
    return Subject(
        _joined([one.name for one in subjects]),
        ", ".join(titles),
        grid,
        asked,
        list(records.values()),
        Presets(folders),
    )


def _joined(names: Sequence[str]) -> str:
    """``A+B``; what all of them have in brackets stands there once."""
    parts = [name.partition("[") for name in names]
    if len({told for _, _, told in parts}) == 1:
        return "+".join(dict.fromkeys(name for name, _, _ in parts)) + "".join(parts[0][1:])
    return "+".join(dict.fromkeys(names))
