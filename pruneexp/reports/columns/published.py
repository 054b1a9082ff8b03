"""The paper's accuracy."""

import pandas as pd

from pruneexp.components.options import component

BELOW = "below chance"  # in a published figure's source: printed as *


@component("column")
def published(table: pd.DataFrame) -> "pd.Series[str]":
    """The published accuracy in percent with its 95 % interval, where the recipe is the published one; a star: not above chance."""
    rows = zip(table["published"], table["published_ci95"], below_chance(table), strict=True)
    told = ["*" if below else "" if pd.isna(mean) else f"{mean:g}" + _half(half) for mean, half, below in rows]
    return pd.Series(told, table.index, name="published")


def below_chance(table: pd.DataFrame) -> "pd.Series[bool]":
    """Which published accuracies are said to be below chance, and are not told."""
    return table["source"].fillna("").str.contains(BELOW)


def _half(half: float) -> str:
    return "" if pd.isna(half) else f" ± {half:g}"
