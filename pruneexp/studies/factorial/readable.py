"""The tables of a factorial as they are read."""

import numpy as np
import pandas as pd

from pruneexp.reports.text import number
from pruneexp.studies.factorial.drawn import told
from pruneexp.studies.factorial.variance import ALLOCATION, CHOICE, FACTORS


def readable_variance(table: pd.DataFrame) -> str:
    """Sums of squares, tests, and shares with their intervals."""
    shown = table[["scale", "effect"]].assign(
        ss=table["ss"].map(lambda value: f"{value:.4g}"), df=table["df"].astype(int), F=[number(f, 2) for f in table["f"]],
        p=list(map(_p, table["p"])),
    )  # fmt: skip
    shown["F (seeds)"] = [
        "" if np.isnan(f) else f"{number(f, 2)} ({df:.0f}, {error:.0f})"
        for f, df, error in zip(table["f_seeds"], table["df"], table["error_df"], strict=True)
    ]
    shown["p (seeds)"] = list(map(_p, table["p_seeds"]))
    for name in ("share", "partial"):
        ends = zip(table[name], table[f"{name}_low"], table[f"{name}_high"], strict=True)
        shown[f"{name} (%)"] = [_interval(*three) for three in ends]
    return str(shown.to_markdown(index=False, disable_numparse=True))


def _p(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.2g}"


def _interval(value: float, low: float, high: float, digits: int = 1) -> str:
    return "" if np.isnan(value) else f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def readable_differences(table: pd.DataFrame) -> str:
    """Each pair with its interval, the larger mean first."""
    ends = zip(table["difference"], table["low"], table["high"], strict=True)
    shown = table[["factor", "one", "other"]].assign(
        difference=[_interval(*three) for three in ends], p=list(map(_p, table["p"]))
    )
    return str(shown.to_markdown(index=False, disable_numparse=True))


def grid_of(means: pd.DataFrame, seeds: int) -> str:
    """Allocations as rows and choices as columns."""
    rows = zip(means["accuracy"], means["accuracy_spread"], means["n"], strict=True)
    texts = means.assign(text=[told(*row, seeds).replace("\n", ", ") for row in rows])
    grid = texts.pivot(index=ALLOCATION, columns=CHOICE, values="text").fillna("")
    order_of = [list(dict.fromkeys(means[name])) for name in FACTORS]
    return str(grid.loc[order_of[0], order_of[1]].to_markdown(disable_numparse=True))


def readable_beyond(table: pd.DataFrame) -> str:
    """Partial R^2 in percent."""
    ends = zip(table["partial_r2"], table["low"], table["high"], strict=True)
    shown = table[["measure", "n"]].assign(
        slope=[number(slope, 2) for slope in table["slope"]],
        r2=[_interval(*(100 * value for value in three)) for three in ends],
        F=[number(f, 2) for f in table["f"]],
        p=list(map(_p, table["p"])),
    )
    return str(shown.rename(columns={"r2": "partial R2 (%)"}).to_markdown(index=False, disable_numparse=True))
