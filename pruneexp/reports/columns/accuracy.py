"""Test accuracy."""

import pandas as pd

from pruneexp.components.options import component
from pruneexp.reports.text import mean_of


@component("column")
def accuracy(table: pd.DataFrame) -> "pd.Series[str]":
    """Mean test accuracy in percent with Student's 95 % interval, from three seeds on; the seeds' own below. A star: not above
    chance."""
    rows = zip(table["accuracies"], table["ci95"], table["accuracy"] <= table["chance"], strict=True)
    told = [mean_of(values, half, 0, 100) + ("*" if guess else "") for values, half, guess in rows]
    return pd.Series(told, table.index, name="accuracy")
