"""Filters that nothing reaches."""

import pandas as pd

from pruneexp.components.options import component
from pruneexp.reports.text import number


@component("column")
def dead_filters(table: pd.DataFrame) -> "pd.Series[str]":
    """Output channels all of whose weights are pruned, summed over layers, mean over seeds."""
    return table["dead_filters"].map(lambda value: number(value, 1)).rename("dead filters")
