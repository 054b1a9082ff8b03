"""Time of a forward pass."""

import pandas as pd

from pruneexp.components.options import component
from pruneexp.reports.beside_dense import with_share
from pruneexp.reports.text import number


@component("column")
def latency(table: pd.DataFrame) -> pd.DataFrame:
    """Milliseconds, median over seeds, by device and batch size; in brackets the share of the dense network's."""
    found = {}
    for column in [str(column) for column in table if str(column).startswith("latency/")]:
        _, device, batch = column.split("/")
        texts = table[column].map(lambda value: number(value, 2))
        found[f"{device} ms, batch {batch}"] = with_share(table, column, texts)
    return pd.DataFrame(found, table.index)
