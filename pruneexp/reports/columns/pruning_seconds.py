"""Time to prune."""

import pandas as pd

from pruneexp.components.options import component
from pruneexp.reports.text import number


@component("column")
def pruning_seconds(table: pd.DataFrame) -> "pd.Series[str]":
    """Seconds for scores and masks, median over seeds."""
    return table["pruning_seconds"].map(lambda value: number(value, 2)).rename("pruning s")
