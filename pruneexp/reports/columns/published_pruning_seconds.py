"""The paper's time to prune."""

import pandas as pd

from pruneexp.components.options import component
from pruneexp.reports.text import number


@component("column")
def published_pruning_seconds(table: pd.DataFrame) -> "pd.Series[str]":
    """Seconds as printed: of another machine and, for global masks, of another graph."""
    return table["published_pruning_seconds"].map(lambda value: number(value, 0)).rename("published pruning s")
