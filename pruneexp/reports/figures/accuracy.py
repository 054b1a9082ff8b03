"""Accuracy against density: one line for each method, or a list of methods where there is one density.

Every command checks the options of its figures, so what draws them is imported where they are drawn.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from pruneexp.components.options import component
from pruneexp.reports.figures.choices import Facet, Hue, Inches, Scale, SpanScale, Titles

if TYPE_CHECKING:
    import pandas as pd


@component("figure", name="accuracy")
def accuracy_figure(
    table: "pd.DataFrame",
    cells: "pd.DataFrame",
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
    from pruneexp.reports.figures.draw_accuracy import draw_accuracy
    from pruneexp.reports.figures.drawing import save
    from pruneexp.reports.figures.names import Names
    from pruneexp.reports.figures.plan import Plan

    plan = Plan(table, cells, Names(titles, order, labels), hue, facet)
    return save(draw_accuracy(plan, title, width, x, y), stem, command)
