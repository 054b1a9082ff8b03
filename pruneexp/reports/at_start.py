"""Figures of the masks that training begins with."""

import math

import pandas as pd


def at_start(table: pd.DataFrame, column: str) -> "pd.Series[float]":
    """A figure of each row's masks at the start of its training, which masks that stay have at its end too; NaN where the masks of no row
    of the table change."""
    start = f"start/{column}"
    if start not in table:
        return pd.Series(math.nan, table.index)
    return table[start].where(table["mask_updates"].notna(), table[column])
