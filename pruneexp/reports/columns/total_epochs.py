"""Epochs of all trainings that a network comes from."""

import pandas as pd

from pruneexp.components.options import component
from pruneexp.reports.text import number


@component("column")
def total_epochs(table: pd.DataFrame) -> "pd.Series[str]":
    """Epochs behind the weights, mean over seeds: the cell's own, the dense network's where it comes from that, and earlier levels'."""
    return table["total_epochs"].map(lambda value: number(value, 0)).rename("epochs in all")
