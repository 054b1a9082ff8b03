"""How far a method is below the best of its network and density."""

import math

import pandas as pd

from pruneexp.components.options import component
from pruneexp.reports.text import mean_of


@component("column")
def difference(table: pd.DataFrame) -> "pd.Series[str]":
    """Accuracy that the best has more, by a linear model of method and seed, with its 95 % interval, uncorrected; nothing where seeds are
    too few to compare."""
    rows = zip(table["best_difference"], table["difference_ci95"], strict=True)
    told = ["" if math.isnan(mean) else mean_of([mean], half) for mean, half in rows]
    return pd.Series(told, table.index, name="below the best")
