"""How near the layers' graphs are to the best expanders, as a share of what there is to be had."""

import pandas as pd

from pruneexp.components.options import component
from pruneexp.reports.text import number


@component("column")
def imdb_norm(table: pd.DataFrame) -> "pd.Series[str]":
    """Mean over layers, dense ones too, of each regular subgraph's gap over its bound, mean over seeds (Hoang et al. 2023)."""
    return table["imdb_norm"].map(lambda value: number(value, 3)).rename("IMDB, normalised")
