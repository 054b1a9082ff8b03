"""How near to the best expanders the layers' graphs were when training began."""

import pandas as pd

from pruneexp.components.options import component
from pruneexp.reports.at_start import at_start
from pruneexp.reports.text import number


@component("column")
def imdb_norm_start(table: pd.DataFrame) -> "pd.Series[str]":
    """The `imdb_norm` of the masks that training begins with, mean over seeds, where some masks change in training."""
    return at_start(table, "imdb_norm").map(lambda value: number(value, 3)).rename("IMDB, normalised, at start")
