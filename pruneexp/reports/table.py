"""Groups of cells that differ in their seeds alone, as one row each: means, intervals, drops, the published number beside."""

from typing import Any

import pandas as pd

from pruneexp.cell import marked
from pruneexp.reports.best import WITHIN, against_best
from pruneexp.reports.frame import ABOUT, SETTING
from pruneexp.reports.intervals import interval95
from pruneexp.reports.published import beside_published

MEDIANS = ("pruning_seconds", "training_seconds", "peak_memory_bytes", "latency/")  # of what a machine may disturb
AGGREGATED = (  # columns that `aggregate` makes
    "asked_density", "chance", "seeds", "n", "diverged", "accuracy", "ci95", "accuracy_low", "accuracy_high", "drop", "drop_ci95",
    "pairs", "best_difference", "difference_ci95", "best_p", "published", "published_ci95", "published_imdb",
    "published_pruning_seconds",
)  # fmt: skip
SAME = ("chance",)  # for all cells of a group
APART = {
    *SETTING,
    *ABOUT,
    *SAME,
    *marked("identity"),
    "devices",
    "group",
    "dense_group",
    "data_sha256",
    "seed",
    "accuracy",
    "drop",
}


def figures_of(cells: pd.DataFrame) -> list[str]:
    """The columns of the tidy frame that are brought together over seeds."""
    numbers = map(str, cells.select_dtypes("number"))
    return [column for column in numbers if column not in APART and "." not in column]


def aggregate(cells: pd.DataFrame) -> pd.DataFrame:
    """One row for each group of the tidy frame (`load_results`), networks in order, densities falling.

    Columns: those of the setting; `n` (seeds with an accuracy) of `seeds`, `diverged` of which diverged; accuracy, its mean over
    the n, ci95 (half width of the 95 % interval; NaN below three), accuracy_low and accuracy_high (the interval within [0, 100]),
    `accuracies` (the seeds' own, in the order of the seeds); drop, drop_ci95 and `pairs`: the same of the differences to the dense
    cell of the same description and seed, and how many there are; `best`, best_difference, difference_ci95 and best_p (see
    `against_best`); the published figures (see `beside_published`); and of every other figure of the frame the mean over seeds,
    of times and latencies the median.
    """
    groups = cells.groupby("group", sort=False)
    table = groups[[*SETTING, *SAME]].first()
    table["seeds"] = groups.size()
    table["n"] = groups["accuracy"].count()
    table["diverged"] = groups["diverged"].sum()
    table["accuracy"] = groups["accuracy"].mean()
    table["ci95"] = groups["accuracy"].agg(interval95)
    table["accuracy_low"] = (table["accuracy"] - table["ci95"]).clip(0, 100)
    table["accuracy_high"] = (table["accuracy"] + table["ci95"]).clip(0, 100)
    in_order = cells.sort_values("seed", kind="stable").groupby("group", sort=False)
    table["accuracies"] = in_order["accuracy"].agg(_known)
    table["drop"] = groups["drop"].mean()
    table["drop_ci95"] = groups["drop"].agg(interval95)
    table["drops"] = in_order["drop"].agg(_known)
    table["pairs"] = groups["drop"].count()
    figures = figures_of(cells)
    medians = [column for column in figures if column.startswith(MEDIANS)]
    means = [column for column in figures if column not in medians]
    table = table.join(groups[means].mean()).join(groups[medians].median()).reset_index()
    table = table.join(against_best(cells, table))
    return beside_published(table).sort_values(
        WITHIN,
        ascending=[True] * 4 + [False],
        kind="stable",
        ignore_index=True,
    )


def _known(values: "pd.Series[float]") -> Any:
    return tuple(values.dropna())
