"""What the legend says: of each method, and of the marks that are the same for all."""

from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pruneexp.reports.figures.drawing import GREY
from pruneexp.reports.figures.marks import (
    BAND,
    DENSE,
    DOT,
    PUBLISHED,
    RING,
    STAR,
    few_seeds,
    several_seeds,
)
from pruneexp.reports.figures.plan import Plan


def line_handles(plan: Plan) -> list[Artist]:
    """What the colours stand for, and the markers and line styles where they stand for something else."""
    if not plan.entries.rests:
        pairs = zip(plan.entries.entries.values(), plan.counted_names(), strict=True)
        return [Line2D([], [], **entry.style(), label=name) for entry, name in pairs]
    colours = [Line2D([], [], color=one.colour, linewidth=3, label=one.name) for one in plan.entries.hues]
    return [*colours, *(Line2D([], [], **one.style(), label=one.name) for one in plan.entries.rests)]


def mark_handles(plan: Plan, dense: dict[str, Any] | None = None) -> list[Artist]:
    """What the marks are that have no method's name: the dense network, published accuracies, intervals.

    Args:
        dense: how the dense network is drawn; a dashed line unless given.
    """
    rows = pd.concat([plan.shown, plan.dense])
    name = plan.counted("dense", plan.dense)
    told: list[tuple[pd.Series, Artist]] = [
        (plan.dense["accuracy"], Line2D([], [], **(dense or DENSE), label=name)),
        (plan.shown["published"], Line2D([], [], **STAR, color="white", linestyle="", label="published")),
        (rows["accuracy_low"], Patch(color=GREY, alpha=2 * BAND, linewidth=0, label="95 % interval")),
    ]
    if dense is None:
        told.append((plan.dense["published"], Line2D([], [], **PUBLISHED, label="dense, published")))
    return [handle for numbers, handle in told if numbers.notna().any()]


def seed_handles(plan: Plan, listed: bool = False) -> list[Artist]:
    """What single seeds look like, and of a list their mean, if there are any."""
    seeds = (several_seeds if listed else few_seeds)(plan.shown, plan.cells)
    one = Line2D([], [], **(RING if listed else {**DOT, "color": GREY}), markeredgecolor=GREY, label="one seed")
    mean = [Line2D([], [], marker="o", linestyle="", color=GREY, label="their mean")] if listed else []
    return [one, *mean] if len(seeds) else []
