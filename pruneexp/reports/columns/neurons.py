"""Neurons kept."""

import pandas as pd

from pruneexp.components.options import component
from pruneexp.reports.text import percent


@component("column")
def neurons(table: pd.DataFrame) -> "pd.Series[str]":
    """Share of the neurons that are kept, where neurons are removed."""
    kept = table["neurons"] if "neurons" in table else pd.Series(float("nan"), table.index)
    return kept.map(percent).rename("neurons")
