"""Write a grid's table, figures and records."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic_core import to_json
from rich.markup import escape
from rich.table import Table

from pruneexp.components.component import Component
from pruneexp.errors import UserError
from pruneexp.reports.frame import collect
from pruneexp.reports.layers import layer_table
from pruneexp.reports.readable import footnote, readable
from pruneexp.reports.table import aggregate
from pruneexp.sweep import Grid
from pruneexp.system import files
from pruneexp.system.console import console
from pruneexp.system.locks import lock_folder


def write_report(grid: Grid, command: str) -> int:
    """Aggregate what is recorded of the grid, print it, and write it under ``report_dir``.

    ``tables/<stem>.{csv,md,tex}``, ``figures/<stem>*.{png,svg}`` and ``records/<stem>.jsonl`` (every record the table
    comes from), stem = <name>-<recipe>; where a figure looks at layers also ``tables/<stem>-layers.{csv,md}``. Each names the command.

    Returns:
        The number of cells of the grid that are not recorded.

    Raises:
        UserError: nothing is recorded yet, or the report cannot be written.
    """
    cells, records = collect(grid)
    options = grid.jobs[0].options
    found = {record["key"] for record in records}
    missing = sum(not any(cell.key in found for cell in slot.cells) for slot in grid.slots)
    if not records:
        raise UserError(f"none of the {missing} cells is recorded in {options.results_dir}: run them first (mode=run).")
    table = aggregate(cells)
    stem = f"{options.name}-{grid.jobs[0].setting.components['recipe'].label}"
    try:
        folder = Path(options.report_dir)
        folder.mkdir(parents=True, exist_ok=True)
        with lock_folder(folder):  # another process may have finished the same sweep
            paths = _write(table, cells, records, folder, stem, command, grid.jobs[0].setting.figures)
            for path in paths:
                files.remove_leftovers(path)  # of a process that was killed
    except OSError as error:
        raise UserError(
            f"the report could not be written to {options.report_dir} ({error.strerror}): choose another with report_dir=PATH."
        ) from error
    _print(table, stem)
    print(footnote(table, _of_unknown_data(records)).strip())
    if missing:
        print(f"{missing} of {len(grid.slots)} cells are missing; the same command with mode=run makes them.")
    for path in paths:
        print(path)
    return missing


def _write(
    table: pd.DataFrame,
    cells: pd.DataFrame,
    records: list[dict[str, Any]],
    folder: Path,
    stem: str,
    command: str,
    figures: Mapping[str, Component],
) -> list[Path]:
    for kind in ("tables", "figures", "records"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    shown, told = readable(table), footnote(table, _of_unknown_data(records))
    note = f"made by: {command}"
    texts: dict[Path, str | bytes] = {
        folder / "tables" / f"{stem}.csv": f"# {note}\n{table.to_csv(index=False, float_format='%.6g')}",
        folder / "tables" / f"{stem}.md": f"<!-- {note} -->\n{shown.to_markdown(index=False)}\n{told}",
        folder / "tables" / f"{stem}.tex": f"% {note}\n{shown.to_latex(index=False, escape=True)}",
        folder / "records" / f"{stem}.jsonl": b"".join(to_json(record) + b"\n" for record in records),
    }
    paths = _write_texts(texts)
    by_layer = any("layers" in figure.asks for figure in figures.values())
    layers = layer_table(cells, records) if by_layer else None
    offered = {"table": table, "layers": layers, "stem": folder / "figures" / stem, "title": stem, "command": command}
    for figure in figures.values():
        paths += figure.call(**offered)
    if layers is not None:
        paths += _write_layers(layers, folder / "tables" / f"{stem}-layers", note)
    return paths


def _write_layers(layers: pd.DataFrame, stem: Path, note: str) -> list[Path]:
    csv = f"# {note}\n{layers.to_csv(index=False, float_format='%.6g')}"
    markdown = f"<!-- {note} -->\n{layers.to_markdown(index=False, floatfmt='.4g')}\n"
    return _write_texts({stem.with_name(f"{stem.name}.csv"): csv, stem.with_name(f"{stem.name}.md"): markdown})


def _write_texts(texts: Mapping[Path, str | bytes]) -> list[Path]:
    for path, text in texts.items():
        files.write(path, text)
    return list(texts)


def _of_unknown_data(records: list[dict[str, Any]]) -> int:
    return sum(record["data"] is None for record in records)


def _print(table: pd.DataFrame, title: str) -> None:
    """The readable table on the console, without the columns that never change or hold nothing."""
    shown = readable(table)
    pruned = shown[table["scorer"].to_numpy() != "dense"]
    keep = [c for c in shown if c in ("masker", "density", "n", "accuracy") or pruned[c].nunique() > 1]
    printed = Table(*map(str, keep), title=title, title_justify="left")
    for row in shown[keep].itertuples(index=False):
        printed.add_row(*(escape(str(value)) for value in row))  # an option in brackets is no markup
    console().print(printed)
