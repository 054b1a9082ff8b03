"""Axes of accuracy, density and multiply-accumulates: their scales, limits, and ticks whose labels do not touch."""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from pruneexp.reports.figures.choices import Scale, SpanScale
from pruneexp.reports.figures.ticks import Sparse, round_values

Along = Literal["x", "y"]
NEAREST = 0.05  # percent: what the logit scale shows nearest to 0 and 100
ODDS = [0.1, 0.5, 1, 2, 5, 10, 20, 30, 50, 70, 80, 90, 95, 98, 99, 99.5, 99.9]  # ticks of the logit scale


def density_axis(axis: Axes, rows: pd.DataFrame, scale: SpanScale = "log") -> None:
    """Ticks at the densities asked for, in percent; at round ones where the networks' own are others."""
    known = rows.loc[rows["density"] > 0, ["asked_density", "density"]]
    near = (known["density"] / known["asked_density"] - 1).abs().max() < 0.05
    ticks = known["asked_density"] if near else None
    span_axis(axis, known["density"], "weights kept (%)", 0.01, scale, ticks)


def span_axis(
    axis: Axes,
    values: pd.Series,
    label: str,
    unit: float,
    scale: SpanScale = "log",
    ticks: Iterable[float] | None = None,
) -> None:
    """The horizontal axis of a size.

    Args:
        values: that it spans.
        unit: what its labels count in.
        ticks: where they may be; at round values unless given.
    """
    axis.set_xscale(scale)
    values = np.log(values[values > 0]) if scale == "log" else values.dropna()
    if len(values):
        low, high = values.min(), values.max()
        room = 0.075 * (high - low) or 0.1 * abs(low) or 0.5
        axis.set_xlim(*(np.exp([low - room, high + room]) if scale == "log" else (low - room, high + room)))
    low, high = (end / unit for end in axis.get_xlim())
    round_ones = round_values(low, high) if scale == "log" else MaxNLocator(6).tick_values(low, high)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _=None: f"{value / unit:.3g}"))
    axis.xaxis.set_major_locator(Sparse({unit * one for one in round_ones} if ticks is None else set(ticks)))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlabel(label)
    axis.grid(alpha=0.25)


def accuracy_axis(axis: Axes, along: Along, limits: tuple[float, float], scale: Scale) -> None:
    """The axis of accuracies in percent, linear, logarithmic or in log odds."""
    how: dict[str, Any] = {"functions": (_log_odds, _share)} if scale == "logit" else {}
    axis.set(**{f"{along}lim": limits})
    (axis.set_xscale if along == "x" else axis.set_yscale)("function" if how else scale, **how)
    own = axis.xaxis if along == "x" else axis.yaxis
    if scale != "linear":
        inside = [value for value in ODDS if limits[0] <= value <= limits[1]] if how else []
        own.set_major_locator(Sparse(inside if len(inside) > 2 else round_values(*limits)))
        own.set_minor_locator(NullLocator())
    own.set_major_formatter(FuncFormatter(lambda value, _=None: f"{value:g}"))
    axis.set(**{f"{along}lim": limits})  # a change of scale moves them
    axis.grid(alpha=0.25, axis=along)


def accuracy_limits(values: pd.Series, scale: Scale) -> tuple[float, float]:
    """Limits about these accuracies, within 0 and 100 percent; of all of it where there are none."""
    found = values[np.isfinite(values)]
    ends = {"linear": (0.0, 100.0), "log": (0.1, 100.0), "logit": (NEAREST, 100 - NEAREST)}[scale]
    if found.empty:
        return ends
    ways: dict[Scale, Any] = {
        "linear": (np.asarray, np.asarray),
        "log": (np.log10, lambda x: 10**x),
        "logit": (_log_odds, _share),
    }
    there, back = ways[scale]
    low, high = there(np.clip([found.min(), found.max()], *ends))
    room = max(0.05 * (high - low), 0.5 if scale == "linear" else 0.01)
    low, high = np.clip(back(np.array([low - room, high + room])), *ends)
    return float(low), float(high)


def _log_odds(percent: np.ndarray) -> np.ndarray:
    share = np.clip(percent, NEAREST / 2, 100 - NEAREST / 2) / 100
    return np.log(share / (1 - share))


def _share(log_odds: np.ndarray) -> np.ndarray:
    return 100 / (1 + np.exp(-np.asarray(log_odds)))
