"""Panels of accuracies put on a canvas: headings, one scale of accuracy for a data set, every label once."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from pruneexp.reports.figures.canvas import Canvas
from pruneexp.reports.figures.choices import Scale
from pruneexp.reports.figures.panels import Panel
from pruneexp.reports.figures.scales import Along, accuracy_axis, accuracy_limits

ACCURACY = "test accuracy (%)"
Drawn = tuple[Along, pd.Series]  # which way accuracies run, and all that are drawn


@dataclass(frozen=True)
class Place:
    """An axis, where it stands, and what is drawn on it."""

    axis: Axes
    row: int
    column: int
    panel: Panel
    along: Along
    accuracies: pd.Series


def place_panels(
    canvas: Canvas, grid: list[list[Panel]], draw: Callable[[Axes, Panel], Drawn], scale: Scale, shared: bool = False
) -> None:
    """Draw each panel on its axis.

    Args:
        draw: draws the marks of one panel.
        scale: of accuracy.
        shared: whether the panels have the other axis in common.
    """
    with canvas.styled():
        drawn = [_drawn(axis, row, column, grid, draw) for (row, column), axis in np.ndenumerate(canvas.axes)]
        places = [place for place in drawn if place is not None]
        for place in places:
            family = [one.accuracies for one in places if one.panel.family == place.panel.family]
            accuracy_axis(place.axis, place.along, accuracy_limits(pd.concat(family), scale), scale)
        _label(places, shared)


def _drawn(
    axis: Axes, row: int, column: int, grid: list[list[Panel]], draw: Callable[[Axes, Panel], Drawn]
) -> Place | None:
    """One panel; None where there is a hole."""
    if column >= len(grid[row]):
        axis.set_axis_off()
        return None
    panel = grid[row][column]
    axis.set_title(panel.heading)
    if panel.beside and column == len(grid[row]) - 1:
        axis.annotate(panel.beside, (1.03, 0.5), xycoords="axes fraction", rotation=270, va="center")
    if panel.rows.empty:
        axis.set_axis_off()
        return None
    along, accuracies = draw(axis, panel)
    if not np.isfinite(accuracies).any():
        axis.text(0.5, 0.5, "no accuracy", transform=axis.transAxes, ha="center", va="center")
    return Place(axis, row, column, panel, along, accuracies)


def _label(places: list[Place], shared: bool) -> None:
    """Names of axes at the edges, and the numbers of an axis that panels have in common."""
    one_scale = len({place.panel.family for place in places}) == 1
    for place in places:
        below = any(other.column == place.column and other.row > place.row for other in places)
        leftmost = not any(other.row == place.row and other.column < place.column for other in places)
        if place.along == "x":
            place.axis.set_xlabel(ACCURACY)
        elif leftmost:
            place.axis.set_ylabel(ACCURACY)
        if below:
            place.axis.set_xlabel("")
        upright, level = (shared, one_scale) if place.along == "x" else (one_scale, shared)
        place.axis.tick_params(labelleft=leftmost or not upright, labelbottom=not (below and level))
