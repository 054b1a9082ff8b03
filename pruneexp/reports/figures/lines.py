"""Accuracy as lines: against density, or whatever else a network's size is measured by."""

from typing import Any

from matplotlib.axes import Axes

from pruneexp.reports.figures.entries import Entries
from pruneexp.reports.figures.marks import BAND, DOT, few_seeds, points, stars
from pruneexp.reports.figures.panels import Panel

STEP, SPREAD = 4.5, 0.07  # of stars: points from one to the next, most of the panel's width that all of them take


def draw_lines(axis: Axes, panel: Panel, entries: Entries, x: str) -> None:
    """A line of means for each entry with its interval as a band, seeds as dots where they are few, published values as stars.

    Args:
        x: the column of both tables that runs along the horizontal axis, which has its scale; a logarithmic one has no place for 0.
    """
    parts = list(entries.within(panel.rows))
    starred = [entry for entry, rows in parts if rows["published"].notna().any()]
    figure: Any = axis.figure
    step = min(STEP, SPREAD * 72 * axis.bbox.width / figure.dpi / max(len(starred) - 1, 1))
    opacity = min(BAND, 1 / max(len(parts), 1))  # many bands lie on one another
    for entry, rows in parts:
        line = rows[rows[x] > (0 if axis.get_xscale() == "log" else -1)].sort_values(x)
        means = line.dropna(subset=["accuracy"])
        points(axis, "y", means["accuracy"], means[x], **entry.style(), label=entry.name)
        axis.fill_between(
            line[x], line["accuracy_low"], line["accuracy_high"], color=entry.colour, alpha=opacity, linewidth=0
        )
        seeds = few_seeds(line, panel.cells)
        points(axis, "y", seeds["accuracy"], seeds[x], **DOT, color=entry.colour)
        if entry in starred:  # side by side, as published values of one density are often nearly the same
            stars(axis, "y", line, line[x], entry.colour, step * (starred.index(entry) - (len(starred) - 1) / 2))
