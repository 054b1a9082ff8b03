"""How well the worst layer is connected."""

import pandas as pd

from pruneexp.components.options import component
from pruneexp.reports.text import number


@component("column")
def lambda2_min(table: pd.DataFrame) -> "pd.Series[str]":
    """Smallest second eigenvalue of a layer's normalised Laplacian, of its largest component, mean over seeds (Laenen 2023)."""
    return table["lambda2_min"].map(lambda value: number(value, 3)).rename("lambda_2")
