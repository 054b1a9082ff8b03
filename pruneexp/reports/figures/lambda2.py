"""lambda_2 of every layer against density, beside the accuracy (Laenen 2023, figures 3 and 4)."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pruneexp.components.options import component
from pruneexp.reports.figures.choices import Inches, Titles

if TYPE_CHECKING:
    import pandas as pd


@component("figure", name="lambda2")
def lambda2_figures(
    table: "pd.DataFrame",
    cells: "pd.DataFrame",
    layers: "pd.DataFrame",
    titles: Titles,
    stem: Path,
    title: str,
    command: str,
    order: tuple[str, ...] = (),
    labels: dict[str, str] | None = None,
    width: Inches | None = None,
) -> list[Path]:
    """Draw both figures for each network and scorer.

    `stem`-lambda2: accuracy, and for each method lambda_2 of the mask, the layers coloured from first to last.
    `stem`-lambda2-layers: a small panel for each layer, with the methods' own colours. A cross is a layer that has collapsed to stars,
    single edges or nothing. Where several networks or scorers are in the table, what tells them apart is part of the files' names.

    Args:
        order, labels, width: as for `accuracy_figure`.

    Raises:
        UserError: `order` names what the figures do not show.
    """
    from pruneexp.reports.figures.draw_lambda2 import SUBJECT, draw_beside, draw_layers
    from pruneexp.reports.figures.drawing import save
    from pruneexp.reports.figures.names import Names, keys_of, rows_of
    from pruneexp.reports.figures.plan import Plan

    plan = Plan(table, cells, Names(titles, order, labels), "method", "network")
    telling = [column for column in SUBJECT if plan.varies(column)]
    paths = []
    for subject in [key for key in keys_of(plan.shown, SUBJECT) if key in keys_of(layers, SUBJECT)]:
        part, own = plan.part(SUBJECT, subject), rows_of(layers, SUBJECT, subject)
        words = [label for column, label in zip(SUBJECT, subject, strict=True) if column in telling]
        name = "-".join([stem.name, *(re.sub(r"[^\w.+-]+", "_", word) for word in words)])
        paths += save(draw_beside(part, own, title, width), stem.with_name(f"{name}-lambda2"), command)
        paths += save(draw_layers(part, own, title, width), stem.with_name(f"{name}-lambda2-layers"), command)
    return paths
