"""Time to train."""

import pandas as pd

from pruneexp.components.options import component
from pruneexp.reports.text import number


@component("column")
def training_seconds(table: pd.DataFrame) -> "pd.Series[str]":
    """Seconds of training, median over seeds."""
    return table["training_seconds"].map(lambda value: number(value, 1)).rename("training s")
