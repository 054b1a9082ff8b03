"""Layers that fell apart."""

import pandas as pd

from pruneexp.components.options import component
from pruneexp.reports.text import number


@component("column")
def collapsed(table: pd.DataFrame) -> "pd.Series[str]":
    """Layers of which stars, single edges or nothing is left, mean over seeds."""
    return table["collapsed_layers"].map(lambda value: number(value, 1)).rename("collapsed")
