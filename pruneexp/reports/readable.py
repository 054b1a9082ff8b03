"""The aggregated table as people read it."""

import math
from collections.abc import Hashable
from typing import Any

import pandas as pd

from pruneexp.reports.table import AGGREGATED, KNOWN

SHOWN = ["dataset", "model", "scorer", "masker", "recipe", "precision"]
NETWORK = ["dataset", "model", "recipe"]
FEW = 3  # columns of a measurement that a page has room for; the CSV has all
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
    measured = _measured(table)
    latencies = [column for column in measured if column.startswith("latency/")]
    dense = table[table["scorer"] == "dense"].groupby(NETWORK)[["macs", *latencies]].mean()
    rows = []
    for row in table.to_dict("records"):
        network = tuple(row[name] for name in NETWORK)
        whole = dense.loc[network] if network in dense.index else None
        own = {column.replace("/", " "): _number(row[column], 4) for column in measured if column not in latencies}
        rows.append({**_main(row), **own, **(_size(row, latencies, whole) if latencies else {})})
    return pd.DataFrame(rows)


def _measured(table: pd.DataFrame) -> list[str]:
    """The columns of measurements that have no more than a few."""
    numbers = table.select_dtypes("number")
    columns = [str(column) for column in numbers if str(column) not in KNOWN | AGGREGATED]
    fields = [column.partition("/")[0] for column in columns]
    return [column for column, field in zip(columns, fields, strict=True) if fields.count(field) <= FEW]


def _main(row: dict[Hashable, Any]) -> dict[str, str]:
    guess = "*" if row["accuracy"] <= row["chance"] else ""
    diverged = f" ({row['diverged']} diverged)" if row["diverged"] else ""
    below = row["source"] is not None and BELOW in str(row["source"])
    return {
        **{column: row[column] for column in SHOWN},
        **({"neurons": _percent(row["neurons"])} if "neurons" in row else {}),
        "density": f"{100 * row['density']:.4g} %",
        "effective": _number(100 * row["effective_density"], 3) + (" %" if pd.notna(row["effective_density"]) else ""),
        "n": str(row["n"]),
        "accuracy": _with_interval(row["accuracy"], row["ci95"]) + guess + diverged,
        "drop": "" if row["scorer"] == "dense" else _number(row["drop"], 2),
        "published": "*" if below else _with_interval(row["published"], row["published_ci95"]),
        "dead_filters": _number(row["dead_filters"], 1),
        "imdb": _number(row["imdb"], 3),
        "published_imdb": _number(row["published_imdb"], 3),
        "lambda2_min": _number(row["lambda2_min"], 3),
        "collapsed": _number(row["collapsed_layers"], 1),
        "pruning s": _number(row["pruning_seconds"], 2),
        "published pruning s": _number(row["published_pruning_seconds"], 0),
        "training s": _number(row["training_seconds"], 1),
    }


def _size(row: dict[Hashable, Any], latencies: list[str], whole: "pd.Series | None") -> dict[str, str]:
    """Parameters, MACs and latencies, in brackets as a share of the dense network's."""

    def beside(column: str, text: str) -> str:
        share = math.nan if whole is None else row[column] / whole[column]
        return text if pd.isna(share) else f"{text} ({_percent(share)})"

    columns = {"parameters (M)": _number(row["parameters"] / 1e6, 3)}
    columns["MACs (M)"] = beside("macs", _number(row["macs"] / 1e6, 1))
    for column in latencies:
        _, device, batch = column.split("/")
        columns[f"{device} ms, batch {batch}"] = beside(column, _number(row[column], 2))
    return columns


def _number(value: float, digits: int) -> str:
    return "" if pd.isna(value) else f"{value:.{digits}f}"


def _with_interval(mean: float, half: float) -> str:
    return _number(mean, 2) + ("" if pd.isna(half) else f" ± {half:.2f}")


def _percent(share: float) -> str:
    return "" if pd.isna(share) else f"{100 * share:.3g} %"
