"""The density that a mask has."""

import pandas as pd

from pruneexp.components.options import component
from pruneexp.reports.text import percent

NEAR = 0.005  # of the density asked for: what rounding to whole weights makes


@component("column")
def density_achieved(table: pd.DataFrame) -> "pd.Series[str]":
    """Kept / prunable weights, where that is another density than was asked for."""
    rows = zip(table["density"], table["asked_density"], strict=True)
    told = ["" if abs(own - asked) <= NEAR * asked else percent(own) for own, asked in rows]
    return pd.Series(told, table.index, name="achieved")
