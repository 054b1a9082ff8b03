"""Accuracy against density: one line for each method, or a list of methods where there is one density."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pruneexp.components.options import component
from pruneexp.reports.figures.canvas import Canvas, Inches
from pruneexp.reports.figures.categories import draw_categories, list_height
from pruneexp.reports.figures.drawing import save
from pruneexp.reports.figures.legend import line_handles, mark_handles, seed_handles
from pruneexp.reports.figures.lines import draw_lines
from pruneexp.reports.figures.marks import drawn_values, few_seeds, reference, several_seeds
from pruneexp.reports.figures.names import Names, Titles
from pruneexp.reports.figures.panels import Facet, Hue, Panel, kept
from pruneexp.reports.figures.plan import Plan
from pruneexp.reports.figures.scales import Along, Scale, SpanScale, density_axis
from pruneexp.reports.figures.sheet import Drawn, place_panels


@component("figure", name="accuracy")
def accuracy_figure(
    table: pd.DataFrame,
    cells: pd.DataFrame,
    titles: Titles,
    stem: Path,
    title: str,
    command: str,
    hue: Hue = "method",
    facet: Facet = "network",
    order: tuple[str, ...] = (),
    labels: dict[str, str] | None = None,
    width: Inches | None = None,
    x: SpanScale = "log",
    y: Scale = "linear",
) -> list[Path]:
    """Draw the aggregated table; write `stem`.png, .svg and .pdf.

    Args:
        hue: what colours stand for; a method is a scorer and a masker, with what else was done.
        facet: what panels are; a network is a model on a data set, under a recipe. With "scorer" and several networks, each network is
            a column and each scorer a row, as in figure 2 of Laenen (2023).
        order: labels in the order wanted, of methods and of panels; others follow.
        labels: what the figure calls a label or a method, in place of its title.
        width: of the whole figure in inches; that of a printed page's text unless given.
        x: how density runs.
        y: how accuracy runs.

    Raises:
        UserError: `order` names what the figure does not show.
    """
    plan = Plan(table, cells, Names(titles, order, labels), hue, facet)
    return save(draw_accuracy(plan, title, width, x, y), stem, command)


def draw_accuracy(
    plan: Plan, title: str, width: float | None = None, x: SpanScale = "log", y: Scale = "linear"
) -> Figure:
    """The figure itself; the arguments are those of `accuracy_figure`."""
    names, one_density = plan.counted_names(), kept(plan.shown)
    listed = all(
        kept(panel.rows) for panel in plan.panels
    )  # else a panel of one density stands beside others that have lines
    canvas = Canvas(plan.grid, width, list_height(names) if listed else None)

    def draw(axis: Axes, panel: Panel) -> Drawn:
        along: Along = "x" if listed else "y"
        reference(axis, along, panel.dense)
        if listed:
            draw_categories(axis, panel, plan.entries, names)
            axis.set_title(", ".join(filter(None, (panel.heading, "" if one_density else kept(panel.rows)))))
        else:
            density_axis(axis, plan.shown, x)
            draw_lines(axis, panel, plan.entries, "density")
        return along, drawn_values(panel, (several_seeds if listed else few_seeds)(panel.rows, panel.cells))

    place_panels(canvas, plan.grid, draw, y, shared=True)
    handles = [*([] if listed else line_handles(plan)), *mark_handles(plan), *seed_handles(plan, listed)]
    return canvas.finish(title, plan.once(), handles, beside=len(plan.panels) == 1)
