"""What pruning costs."""

import pandas as pd

from pruneexp.components.options import component
from pruneexp.reports.text import mean_of_pairs


@component("column")
def drop(table: pd.DataFrame) -> "pd.Series[str]":
    """Accuracy of the dense network less that of the pruned one, seed by seed, with the interval of the mean difference; in
    brackets how many pairs that is of, where it is not all seeds."""
    rows = zip(table["drops"], table["drop_ci95"], table["pairs"], table["n"], strict=True)
    return pd.Series([mean_of_pairs(*row) for row in rows], table.index, name="drop")
