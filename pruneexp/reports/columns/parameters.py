"""Size of what is trained."""

import pandas as pd

from pruneexp.components.options import component
from pruneexp.reports.text import number


@component("column")
def parameters(table: pd.DataFrame) -> "pd.Series[str]":
    """Parameters in millions, mean over seeds."""
    return table["parameters"].map(lambda value: number(value / 1e6, 3)).rename("parameters (M)")
