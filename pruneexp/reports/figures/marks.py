"""The marks that all panels of accuracies share, whichever way the accuracy runs."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.transforms import offset_copy

from pruneexp.reports.figures.drawing import GREY
from pruneexp.reports.figures.panels import SETTING, Panel
from pruneexp.reports.figures.scales import Along
from pruneexp.reports.intervals import FEWEST

BAND = 0.16  # opacity
DOT: dict[str, Any] = {"linestyle": "", "marker": "o", "markersize": 2.4, "markeredgewidth": 0, "zorder": 1.8}
RING: dict[str, Any] = {**DOT, "markersize": 3.4, "markeredgewidth": 0.8, "zorder": 3, "color": "white"}
STAR: dict[str, Any] = {"marker": "*", "markersize": 9, "markeredgecolor": "black", "markeredgewidth": 0.6}
DENSE: dict[str, Any] = {"color": GREY, "linestyle": "--", "linewidth": 1}
PUBLISHED: dict[str, Any] = {**DENSE, "linestyle": ":"}


def points(axis: Axes, along: Along, accuracies: pd.Series, places: pd.Series, **style: Any) -> None:
    """Plot accuracies, which run `along` the one axis, at places of the other; no mark is cut off at the axes."""
    if accuracies.notna().any():  # matplotlib makes room at the figure's corner for a line of no points
        axis.plot(*((accuracies, places) if along == "x" else (places, accuracies)), clip_on=False, **style)


def bars(axis: Axes, along: Along, low: pd.Series, high: pd.Series, places: pd.Series, **style: Any) -> None:
    """An interval of accuracies at each place; none where it is not known."""
    known = low.notna()
    if known.any():
        (axis.hlines if along == "x" else axis.vlines)(places[known], low[known], high[known], **style)


def stars(axis: Axes, along: Along, rows: pd.DataFrame, places: pd.Series, colour: str, aside: float = 0) -> None:
    """The published accuracies and their intervals.

    Args:
        aside: points to the right of their place.
    """
    moved = offset_copy(axis.transData, axis.get_figure(root=True), x=aside, units="points")
    bars(axis, along, *published_interval(rows), places, color=colour, linewidth=1, zorder=3, transform=moved)
    points(axis, along, rows["published"], places, **STAR, color=colour, linestyle="", zorder=4, transform=moved)


def published_interval(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Both ends, within 0 and 100 percent."""
    ends = rows["published"] - rows["published_ci95"], rows["published"] + rows["published_ci95"]
    low, high = (end.clip(0, 100) for end in ends)
    return low, high


def reference(axis: Axes, along: Along, dense: pd.DataFrame) -> None:
    """The dense network: a dashed line with its interval as a band, the published one dotted."""
    line, span = (axis.axvline, axis.axvspan) if along == "x" else (axis.axhline, axis.axhspan)
    for colour, rows in dense.groupby("colour", sort=False):
        for accuracy in rows["accuracy"].dropna():
            line(accuracy, **{**DENSE, "color": colour})
        for low, high in rows[["accuracy_low", "accuracy_high"]].dropna().to_numpy():
            span(low, high, color=colour, alpha=BAND, linewidth=0)
        for accuracy in rows["published"].dropna():
            line(accuracy, **{**PUBLISHED, "color": colour})


def several_seeds(rows: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """The single networks, of finite accuracy, that these rows of the table are means of; of one network its row says it all."""
    on = [*SETTING, "asked_density"]
    return cells.merge(rows.loc[rows["n"] > 1, on], on=on).dropna(subset=["accuracy"])


def few_seeds(rows: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Those of them that are too few for an interval."""
    return several_seeds(rows[rows["n"] < FEWEST], cells)


def drawn_values(panel: Panel, seeds: pd.DataFrame) -> pd.Series:
    """Every accuracy that is drawn in a panel."""
    both = [panel.rows, panel.dense]
    columns = [rows[name] for rows in both for name in ("accuracy", "accuracy_low", "accuracy_high", "published")]
    return pd.concat([*columns, *(end for rows in both for end in published_interval(rows)), seeds["accuracy"]])
