"""Accuracy against multiply-accumulates: what a smaller network costs, one line for each method."""

from pathlib import Path
from typing import TYPE_CHECKING

from pruneexp.components.options import component
from pruneexp.reports.figures.choices import Hue, Inches, Scale, Titles

if TYPE_CHECKING:
    import pandas as pd


@component("figure", name="macs")
def macs_figure(
    table: "pd.DataFrame",
    cells: "pd.DataFrame",
    titles: Titles,
    stem: Path,
    title: str,
    command: str,
    hue: Hue = "method",
    order: tuple[str, ...] = (),
    labels: dict[str, str] | None = None,
    width: Inches | None = None,
    y: Scale = "linear",
) -> list[Path]:
    """Draw the aggregated table, a panel for each network; write `stem`-macs.png, .svg and .pdf.

    The arguments are those of `accuracy_figure`.

    Raises:
        UserError: `order` names what the figure does not show.
    """
    from pruneexp.reports.figures.draw_macs import draw_macs
    from pruneexp.reports.figures.drawing import save
    from pruneexp.reports.figures.names import Names
    from pruneexp.reports.figures.plan import Plan

    plan = Plan(table, cells, Names(titles, order, labels), hue, "network")
    return save(draw_macs(plan, title, width, y), stem.with_name(f"{stem.name}-macs"), command)
