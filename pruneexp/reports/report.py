"""Write a grid's table, figure and compact records."""

import json
import math
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pandas as pd
from rich.markup import escape
from rich.table import Table

from pruneexp.errors import UserError
from pruneexp.records.store import Store
from pruneexp.reports.figures.accuracy import NETWORK, accuracy_figure
from pruneexp.reports.figures.lambda2 import lambda2_figures
from pruneexp.reports.figures.macs import macs_figure
from pruneexp.reports.frame import collect
from pruneexp.reports.layers import layer_table
from pruneexp.reports.table import aggregate
from pruneexp.sweep import Grid
from pruneexp.system import files
from pruneexp.system.console import console

SHOWN = ["dataset", "model", "scorer", "masker", "recipe", "precision"]


def write_report(grid: Grid, command: str) -> int:
    """Aggregate what is recorded of the grid, print it, and write it under ``report_dir``.

    ``tables/<stem>.{csv,md,tex}``, ``figures/<stem>.{png,svg}`` and ``records/<stem>.jsonl`` (every record the table
    comes from), stem = <name>-<recipe>; with ``figures=[...,lambda2]`` also ``tables/<stem>-layers.{csv,md}`` and
    ``figures/<stem>-lambda2*``. Each names the command.

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
        with Store(options.results_dir).reporting():  # another process may have finished the same sweep
            folder = Path(options.report_dir)
            paths = _write(table, records, folder, stem, command)
            if "accuracy" in options.figures:
                paths += accuracy_figure(table, folder / "figures" / stem, stem, command)
            if "macs" in options.figures:
                paths += macs_figure(table, folder / "figures" / stem, stem, command)
            if "lambda2" in options.figures:
                paths += _write_layers(table, layer_table(cells, records), folder, stem, command)
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


def _write(table: pd.DataFrame, records: list[dict[str, Any]], folder: Path, stem: str, command: str) -> list[Path]:
    for kind in ("tables", "figures", "records"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    shown, told = readable(table), footnote(table, _of_unknown_data(records))
    note = f"made by: {command}"
    texts = {
        folder / "tables" / f"{stem}.csv": f"# {note}\n{table.to_csv(index=False, float_format='%.6g')}",
        folder / "tables" / f"{stem}.md": f"<!-- {note} -->\n{shown.to_markdown(index=False)}\n{told}",
        folder / "tables" / f"{stem}.tex": f"% {note}\n{shown.to_latex(index=False, escape=True)}",
        folder / "records" / f"{stem}.jsonl": "".join(json.dumps(record, sort_keys=True) + "\n" for record in records),
    }
    return _write_texts(texts)


def _write_layers(table: pd.DataFrame, layers: pd.DataFrame, folder: Path, stem: str, command: str) -> list[Path]:
    note = f"made by: {command}"
    texts = {
        folder / "tables" / f"{stem}-layers.csv": f"# {note}\n{layers.to_csv(index=False, float_format='%.6g')}",
        folder
        / "tables"
        / f"{stem}-layers.md": f"<!-- {note} -->\n{layers.to_markdown(index=False, floatfmt='.4g')}\n",
    }
    return [*_write_texts(texts), *lambda2_figures(table, layers, folder / "figures" / stem, stem, command)]


def _write_texts(texts: dict[Path, str]) -> list[Path]:
    for path, text in texts.items():
        files.write(path, text)
    return list(texts)


def _of_unknown_data(records: list[dict[str, Any]]) -> int:
    return sum(record["data"] is None for record in records)


BELOW = "below chance"  # in a published figure's source: printed as *


def footnote(table: pd.DataFrame, of_unknown_data: int = 0) -> str:
    """What a reader of the table has to know, as lines of Markdown.

    Args:
        table: the aggregated one.
        of_unknown_data: how many of its records do not say which data they saw.
    """
    lines = ["", "Accuracy: mean over n seeds ± 95 % confidence interval (Student's t)."]
    if (table["accuracy"] <= table["chance"]).any() or table["source"].fillna("").str.contains(BELOW).any():
        lines[-1] += " * no better than guessing."
    if any(str(column).startswith("latency/") for column in table):
        lines.append("In brackets: share of the dense network's. Latency: median of a forward pass, by batch size.")
    if table["published_pruning_seconds"].notna().any():
        lines.append(
            "Published pruning times are of another machine and, for global masks, of another graph (unfolded inputs, tens of"
            " thousands of vertices, where ours has a vertex for each channel): not like for like."
        )
    if of_unknown_data:
        lines.append(f"{of_unknown_data} of its cells were recorded before records had a digest of the data they saw.")
    return "\n".join([*lines, ""])


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The table for people: mean and interval in one column, everything as text."""

    def number(value: float, digits: int) -> str:
        return "" if pd.isna(value) else f"{value:.{digits}f}"

    def with_interval(mean: float, half: float) -> str:
        return number(mean, 2) + ("" if pd.isna(half) else f" ± {half:.2f}")

    def percent(share: float) -> str:
        return "" if pd.isna(share) else f"{100 * share:.3g} %"

    latencies = [str(column) for column in table if str(column).startswith("latency/")]
    dense = table[table["scorer"] == "dense"].groupby(NETWORK)[["macs", *latencies]].mean()

    def size(row: dict[Hashable, Any]) -> dict[str, str]:
        """Parameters, MACs and latencies, in brackets as a share of the dense network's; where latency was asked for."""
        if not latencies:
            return {}
        network = tuple(row[name] for name in NETWORK)
        whole = dense.loc[network] if network in dense.index else None

        def beside(column: str, text: str) -> str:
            share = math.nan if whole is None else row[column] / whole[column]
            return text if pd.isna(share) else f"{text} ({percent(share)})"

        columns = {"parameters (M)": number(row["parameters"] / 1e6, 3)}
        columns["MACs (M)"] = beside("macs", number(row["macs"] / 1e6, 1))
        for column in latencies:
            _, device, batch = column.split("/")
            columns[f"{device} ms, batch {batch}"] = beside(column, number(row[column], 2))
        return columns

    rows = [
        {
            **{column: row[column] for column in SHOWN},
            **({"neurons": percent(row["neurons"])} if "neurons" in table else {}),
            "density": f"{100 * row['density']:.4g} %",
            "effective": number(100 * row["effective_density"], 3)
            + (" %" if pd.notna(row["effective_density"]) else ""),
            "n": str(row["n"]),
            "accuracy": with_interval(row["accuracy"], row["ci95"])
            + ("*" if row["accuracy"] <= row["chance"] else "")
            + (f" ({row['diverged']} diverged)" if row["diverged"] else ""),
            "drop": "" if row["scorer"] == "dense" else number(row["drop"], 2),
            "published": "*"
            if row["source"] is not None and BELOW in str(row["source"])
            else with_interval(row["published"], row["published_ci95"]),
            "dead_filters": number(row["dead_filters"], 1),
            "imdb": number(row["imdb"], 3),
            "published_imdb": number(row["published_imdb"], 3),
            "lambda2_min": number(row["lambda2_min"], 3),
            "collapsed": number(row["collapsed_layers"], 1),
            "pruning s": number(row["pruning_seconds"], 2),
            "published pruning s": number(row["published_pruning_seconds"], 0),
            "training s": number(row["training_seconds"], 1),
            **size(row),
        }
        for row in table.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _print(table: pd.DataFrame, title: str) -> None:
    """The readable table on the console, without the columns that never change or hold nothing."""
    shown = readable(table)
    pruned = shown[table["scorer"].to_numpy() != "dense"]
    keep = [c for c in shown if c in ("masker", "density", "n", "accuracy") or pruned[c].nunique() > 1]
    printed = Table(*map(str, keep), title=title, title_justify="left")
    for row in shown[keep].itertuples(index=False):
        printed.add_row(*(escape(str(value)) for value in row))  # an option in brackets is no markup
    console().print(printed)
