"""What pruning costs as the paper counts it."""

import pandas as pd

from pruneexp.components.options import component
from pruneexp.reports.text import mean_of_pairs


@component("column")
def drop_unpruned(table: pd.DataFrame) -> "pd.Series[str]":
    """The same from the network that the paper calls unpruned, where that is another one than the dense network of the same
    shape (a model's file names it)."""
    if "drops_unpruned" not in table:
        return pd.Series("", table.index, name="drop from unpruned")
    rows = zip(table["drops_unpruned"], table["drop_unpruned_ci95"], table["pairs_unpruned"], table["n"], strict=True)
    return pd.Series([mean_of_pairs(*row) for row in rows], table.index, name="drop from unpruned")
