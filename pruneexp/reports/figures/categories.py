"""Accuracy as a list of methods: what is left to draw where there is one density."""

import pandas as pd
from matplotlib.axes import Axes

from pruneexp.reports.figures.entries import Entries
from pruneexp.reports.figures.marks import RING, bars, points, several_seeds, stars
from pruneexp.reports.figures.panels import Panel

# inches of a method, of each more line of its name, and of what is around the list
METHOD_HEIGHT, MORE, AROUND = 0.27, 0.1, 0.75
ASIDE = 0.28  # of a line: published values below, so that they hide nothing


def list_height(names: list[str]) -> float:
    """Inches of a panel that lists as much; all methods have the room of the longest name."""
    more = max((name.count("\n") for name in names), default=0)
    return (METHOD_HEIGHT + MORE * more) * len(names) + AROUND


def draw_categories(axis: Axes, panel: Panel, entries: Entries, names: list[str]) -> None:
    """A line of the list for each entry: its seeds as dots, their mean, its interval, the published value.

    Args:
        names: of all entries, from the top; a panel leaves the lines of others empty.
    """
    places = {entry: k for k, entry in enumerate(entries.entries.values())}
    for entry, rows in entries.within(panel.rows):
        at = pd.Series(places[entry], index=rows.index)
        bars(axis, "x", rows["accuracy_low"], rows["accuracy_high"], at, color=entry.colour, linewidth=2.5, alpha=0.45)
        points(axis, "x", rows["accuracy"], at, **entry.style(linestyle="", markersize=6), label=entry.name)
        seeds = several_seeds(rows, panel.cells)
        lined = pd.Series(places[entry], index=seeds.index)
        points(axis, "x", seeds["accuracy"], lined, **RING, markeredgecolor=entry.colour)
        stars(axis, "x", rows, at + ASIDE, entry.colour)
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
