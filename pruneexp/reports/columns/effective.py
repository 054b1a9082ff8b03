"""The density of what has an effect."""

import pandas as pd

from pruneexp.components.options import component
from pruneexp.reports.text import percent


@component("column")
def effective(table: pd.DataFrame) -> "pd.Series[str]":
    """Weights on a path from input to output / prunable weights."""
    return table["effective_density"].map(percent).rename("effective")
