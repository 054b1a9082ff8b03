"""How well the worst layer was connected when training began."""

import pandas as pd

from pruneexp.components.options import component
from pruneexp.reports.at_start import at_start
from pruneexp.reports.text import number


@component("column")
def lambda2_start(table: pd.DataFrame) -> "pd.Series[str]":
    """The `lambda2_min` of the masks that training begins with, mean over seeds, where some masks change in training."""
    return at_start(table, "lambda2_min").map(lambda value: number(value, 3)).rename("lambda_2 at start")
