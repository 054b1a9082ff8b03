"""The paper's normalised IMDB."""

import pandas as pd

from pruneexp.components.options import component
from pruneexp.reports.text import number


@component("column")
def published_imdb_norm(table: pd.DataFrame) -> "pd.Series[str]":
    """As printed; it is of the masks, whatever the recipe."""
    return table["published_imdb_norm"].map(lambda value: number(value, 3)).rename("published IMDB, normalised")
