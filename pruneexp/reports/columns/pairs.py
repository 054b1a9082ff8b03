"""How many pairs of seeds a drop is of."""

import pandas as pd

from pruneexp.components.options import component


@component("column")
def pairs(table: pd.DataFrame) -> "pd.Series[str]":
    """Seeds that the dense network and the pruned one both have."""
    return table["pairs"].map(lambda count: str(count) if count else "")
