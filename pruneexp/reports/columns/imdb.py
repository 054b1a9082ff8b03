"""How near the layers' graphs are to the best expanders."""

import pandas as pd

from pruneexp.components.options import component
from pruneexp.reports.text import number


@component("column")
def imdb(table: pd.DataFrame) -> "pd.Series[str]":
    """Mean over pruned layers of sqrt(d_L - 1) + sqrt(d_R - 1) - sigma_2, mean over seeds (Hoang et al. 2023)."""
    return table["imdb"].map(lambda value: number(value, 3)).rename("IMDB")
