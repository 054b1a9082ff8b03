"""Write a report: table, figures and records, each with where it comes from."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic_core import to_json

from pruneexp.components.component import Component
from pruneexp.errors import UnwrittenError, UserError
from pruneexp.records.record import Record
from pruneexp.records.store import Store, read_records
from pruneexp.reports.frame import SETTING, chosen, tidy
from pruneexp.reports.latex import latex
from pruneexp.reports.layers import layer_table
from pruneexp.reports.markdown import escaped, grid_of, made_by, markdown, prose
from pruneexp.reports.notes import notes
from pruneexp.reports.origin import origin
from pruneexp.reports.plain import plain_csv
from pruneexp.reports.shown import FIRST, NEEDED, Shown, shown
from pruneexp.reports.subject import Subject, narrowed, of_grid
from pruneexp.reports.table import aggregate
from pruneexp.sweep import Grid
from pruneexp.system import files
from pruneexp.system.console import console, tell, terminal_width, visible
from pruneexp.system.locks import lock_folder
from pruneexp.system.places import of_here
from pruneexp.system.tables import print_table


@dataclass(frozen=True)
class Report:
    """A report as it is written.

    Attributes:
        subject: what it is of.
        command: that asked for it.
        cells: the tidy frame.
        records: in the order of its rows.
        table: aggregated.
        layers: of the networks, where a figure looks at them.
        notes: what a reader has to know.
    """

    subject: Subject
    command: str
    cells: pd.DataFrame
    records: list[Record]
    table: pd.DataFrame
    layers: pd.DataFrame | None
    notes: list[str]

    @property
    def count(self) -> str:
        """How much of what is asked for is there; a cell in two precisions is one."""
        there = self.cells.drop_duplicates([*(name for name in SETTING if name != "precision"), "seed"])
        return f"{len(there)} of {self.subject.asked} cells"


Publish = Callable[[str, Sequence[Path]], None]  # told what a report's files are called, and where they are


def write_report(
    grid: Grid, command: str, store: Store | None = None, publish: Publish = lambda stem, paths: None
) -> int:
    """Report the whole that a grid is a part of; see `write`.

    Returns:
        The number of cells of the grid itself that are not recorded.

    Raises:
        UserError: nothing is recorded yet, or the report cannot be written.
    """
    options = grid.jobs[0].options
    store = store or Store(options.results_dir, options.records)
    subject = of_grid(grid, store)
    there = {record["key"] for record, _ in subject.records}
    missing = sum(not any(cell.key in there for cell in slot.cells) for slot in grid.slots)
    publish(*write(subject, grid, command))
    if missing:
        print(f"{missing} of {len(grid.slots)} cells are missing; the same command with mode=run makes them.")
    return missing


def write(subject: Subject, grid: Grid, command: str) -> tuple[str, list[Path]]:
    """Aggregate what is recorded, print it, and write it under ``report_dir``.

    ``tables/<stem>.{csv,md,tex,json}``, ``figures/<stem>*.{png,svg,pdf}`` and ``records/<stem>.jsonl`` (every record the table
    comes from); where a figure looks at layers also ``tables/<stem>-layers.{csv,md}``. The .json says where the numbers come from.

    Args:
        subject: what is reported.
        grid: whose columns, figures and folder are taken.
        command: that asked for it.

    Returns:
        What the files are called, and where they are.

    Raises:
        UserError: nothing is recorded yet, or `where` is true for no row.
        UnwrittenError: the report cannot be written; it has been printed.
    """
    setting, options = grid.jobs[0].setting, grid.jobs[0].options
    columns = subject.presets.chosen("column", options.columns)
    folder = Path(options.report_dir)
    if not subject.records and not files.kind_of(_earlier(subject, folder), "report_dir"):
        raise _nothing(subject, options.results_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with lock_folder(folder):  # another process may have finished the same sweep
            report = _made(_placed(narrowed(subject, options.where), folder), grid, command, folder)
            text = shown(report.table, columns)
            paths = _write(report, text, folder, setting.figures)
            for path in paths:
                files.remove_leftovers(path)  # of a process that was killed
    except OSError as error:
        within = folder if os.access(folder / "records", os.X_OK) else None
        report = _made(narrowed(subject, options.where), grid, command, within)
        _print(report, shown(report.table, columns))
        raise UnwrittenError(
            f"the report could not be written to {options.report_dir} ({error.strerror or error}):"
            f" {files.remedy(error, 'report_dir')}."
        ) from error
    _print(report, text)
    _print_paths(paths)
    return report.subject.stem, paths


def _earlier(subject: Subject, folder: Path) -> Path:
    """Where an earlier report of the same left its records."""
    return folder / "records" / f"{subject.stem}.jsonl"


def _made(subject: Subject, grid: Grid, command: str, folder: Path | None) -> Report:
    """The report, with what an earlier one has left in the folder, where there is one that can be looked into."""
    options, figures = grid.jobs[0].options, grid.jobs[0].setting.figures
    there, told = {record["key"] for record, _ in subject.records}, list[str]()
    earlier = None if folder is None else _earlier(subject, folder)
    if earlier is not None and subject.places.keys() - there and files.kind_of(earlier, "report_dir"):
        try:
            subject = subject.with_earlier(read_records(earlier, there))
        except UserError as error:
            raise UserError(
                f"{error} An earlier report has left it: this one does without when it is deleted."
            ) from error
        if more := len(subject.records) - len(there):
            where = "results_dir" if of_here(options.results_dir) else options.results_dir
            what = f"{more} cell is" if more == 1 else f"{more} cells are"
            told = [f"{what} of an earlier report of this grid (records/{earlier.name}) and not in {where}."]
    if not subject.records:
        raise _nothing(subject, options.results_dir)
    cells = tidy(subject.records, subject.labels)
    kept = chosen(cells.assign(row=range(len(cells))), options.where)
    if kept.empty:
        raise UserError(f"where={options.where!r} is true for none of the {len(cells)} cells that are recorded.")
    records = [subject.records[row][0] for row in kept.pop("row")]
    layers = layer_table(kept, records) if any("layers" in one.asks for one in figures.values()) else None
    table = aggregate(kept)
    return Report(
        subject,
        command,
        kept,
        records,
        table,
        layers,
        [visible(note) for note in (*notes(table, kept, subject.presets), *told)],
    )


def _nothing(subject: Subject, where: str) -> UserError:
    return UserError(f"none of the {subject.asked} cells is recorded in {where}: run them first (mode=run).")


def _placed(subject: Subject, folder: Path) -> Subject:
    """The subject under a name of its own where another grid's report has its name."""
    try:
        there = json.loads(files.read(folder / "tables" / f"{subject.stem}.json"))
    except (OSError, ValueError, RecursionError):
        return subject
    if not isinstance(there, dict) or (there.get("name") == subject.name and there.get("grid") == subject.grid):
        return subject
    mark = subject.grid[:8]
    name = f"{subject.name[:-1]},{mark}]" if subject.name.endswith("]") else f"{subject.name}[{mark}]"
    own = replace(subject, name=name)
    print(
        f"{folder}/tables/{subject.stem}.csv is of another grid of that name and stays: this one is called {own.stem}."
    )
    return own


def _write(report: Report, text: Shown, folder: Path, figures: Mapping[str, Component]) -> list[Path]:
    for kind in ("tables", "figures", "records"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    subject, told = report.subject, report.notes
    stem, titles, made = subject.stem, subject.titles, made_by(report.command)
    about = origin(subject, report.command, report.cells, told)
    heading = f"**{escaped(subject.title)}** ({report.count}; {escaped(text.caption())})"
    tables = {
        f"{stem}.csv": plain_csv(report.table),
        f"{stem}.md": made + "\n\n".join([heading, markdown(text), "  \n".join(map(prose, told))]) + "\n",
        f"{stem}.tex": latex(text, titles, f"{subject.title}, {report.count}", stem),
        f"{stem}.json": json.dumps(about, indent=1, ensure_ascii=False) + "\n",
    }
    if report.layers is not None:
        tables[f"{stem}-layers.csv"] = report.layers.to_csv(index=False, float_format="%.6g")
        tables[f"{stem}-layers.md"] = f"{made}{grid_of(report.layers)}\n"
    paths = [folder / "tables" / name for name in tables]
    for path, content in zip(paths, tables.values(), strict=True):
        files.write(path, content)
    paths.append(folder / "records" / f"{stem}.jsonl")
    files.write(paths[-1], b"".join(to_json(record) + b"\n" for record in report.records))
    offered: dict[str, Any] = {"table": report.table, "cells": report.cells, "layers": report.layers, "titles": titles}
    offered |= {"stem": folder / "figures" / stem, "title": subject.title.partition(" [")[0], "command": report.command}
    for figure in figures.values():
        paths += figure.call(**offered)
    return paths


def _print(report: Report, text: Shown) -> None:
    """The table on the console, as many of its columns as have room, and what there is to know of it."""
    out = console()  # which breaks lines between words on a terminal
    out.print(f"{visible(report.subject.name)}, {report.count}")
    if text.constant:
        out.print(text.caption())
    columns = {str(column): list(text.rows[column]) for column in text.rows}
    left_out = print_table(columns, NEEDED, FIRST, text.settings, [bool(mark) for mark in text.best])
    for line in [*report.notes, *([f"In the files also: {', '.join(left_out)}."] if left_out else [])]:
        out.print(line)


def _print_paths(paths: Sequence[Path]) -> None:
    """Each on a line of its own; on a terminal files of one name together, as bash reads it: ``tables/NAME.{csv,md}``."""
    if terminal_width() is None:
        for path in paths:
            print(path)
        return
    endings: dict[Path, list[str]] = {}
    for path in paths:
        endings.setdefault(path.with_suffix(""), []).append(path.suffix.removeprefix("."))
    for name, kinds in endings.items():
        tell(f"{name}.{kinds[0] if len(kinds) == 1 else '{' + ','.join(kinds) + '}'}")
