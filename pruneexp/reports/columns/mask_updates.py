"""How often masks changed in training."""

import math

import pandas as pd

from pruneexp.components.options import component
from pruneexp.reports.text import number

FEWEST = 50  # that a method whose masks change can be judged by


@component("column")
def mask_updates(table: pd.DataFrame) -> "pd.Series[str]":
    """Updates of the masks, mean over seeds; marked as toy below `FEWEST`."""
    marks = toy(table).map({True: " (toy)", False: ""})
    counts = table["mask_updates"] if "mask_updates" in table else pd.Series(math.nan, table.index)
    return pd.Series(counts.map(lambda value: number(value, 0)) + marks, name="mask updates")


def toy(table: pd.DataFrame) -> "pd.Series[bool]":
    """Which rows' masks changed so seldom that they say nothing of their method."""
    return table["mask_updates"] < FEWEST if "mask_updates" in table else pd.Series(False, table.index)
