"""The figure of accuracy against multiply-accumulates."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pruneexp.reports.figures.canvas import Canvas
from pruneexp.reports.figures.choices import Scale
from pruneexp.reports.figures.drawing import GREY
from pruneexp.reports.figures.legend import line_handles, mark_handles, seed_handles
from pruneexp.reports.figures.lines import draw_lines
from pruneexp.reports.figures.marks import bars, drawn_values, few_seeds, points
from pruneexp.reports.figures.panels import Panel
from pruneexp.reports.figures.plan import Plan
from pruneexp.reports.figures.scales import span_axis
from pruneexp.reports.figures.sheet import Drawn, place_panels

DIAMOND: dict[str, Any] = {"marker": "D", "markersize": 6, "color": GREY, "markeredgecolor": "black", "linestyle": ""}


def draw_macs(plan: Plan, title: str, width: float | None = None, y: Scale = "linear") -> Figure:
    """The figure itself; the arguments are those of `pruneexp.reports.figures.macs.macs_figure`."""
    canvas = Canvas(plan.grid, width)

    def draw(axis: Axes, panel: Panel) -> Drawn:
        span_axis(axis, pd.concat([panel.rows["macs"], panel.dense["macs"]]), "multiply-accumulates (millions)", 1e6)
        draw_lines(axis, panel, plan.entries, "macs")
        for colour, dense in panel.dense.groupby("colour", sort=False):
            bars(axis, "y", dense["accuracy_low"], dense["accuracy_high"], dense["macs"], color=colour, linewidth=1)
            points(axis, "y", dense["accuracy"], dense["macs"], **{**DIAMOND, "color": colour})
        return "y", drawn_values(panel, few_seeds(panel.rows, panel.cells))

    place_panels(canvas, plan.grid, draw, y)
    handles = [*line_handles(plan), *mark_handles(plan, DIAMOND), *seed_handles(plan)]
    return canvas.finish(title, plan.once(), handles, beside=len(plan.panels) == 1)
