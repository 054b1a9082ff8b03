"""Cost of a forward pass."""

import pandas as pd

from pruneexp.components.options import component
from pruneexp.reports.beside_dense import with_share
from pruneexp.reports.text import number


@component("column")
def macs(table: pd.DataFrame) -> "pd.Series[str]":
    """Multiply-accumulates for an image in millions, mean over seeds; in brackets the share of the dense network's."""
    texts = table["macs"].map(lambda value: number(value / 1e6, 1))
    return pd.Series(with_share(table, "macs", texts), table.index, name="MACs (M)")
