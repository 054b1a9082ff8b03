"""What pruning costs."""

import pandas as pd

from pruneexp.components.options import component
from pruneexp.reports.text import mean_of


@component("column")
def drop(table: pd.DataFrame) -> "pd.Series[str]":
    """Accuracy of the dense network less that of the pruned one, seed by seed, with the interval of the mean difference; in
    brackets how many pairs that is of, where it is not all seeds."""
    told = []
    for values, half, pairs, n in zip(table["drops"], table["drop_ci95"], table["pairs"], table["n"], strict=True):
        few = f" ({pairs} pair{'' if pairs == 1 else 's'})" if 0 < pairs != n else ""
        told.append(mean_of(values, half) + few)
    return pd.Series(told, table.index, name="drop")
