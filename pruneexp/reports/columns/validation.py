"""Accuracy on the images that selection goes by."""

import pandas as pd

from pruneexp.components.options import component
from pruneexp.reports.text import number


@component("column")
def validation(table: pd.DataFrame) -> "pd.Series[str]":
    """Accuracy in percent on the held-out training images (``dataset.validation``) of the epoch whose test accuracy is shown, mean over
    seeds."""
    return table["validation_accuracy"].map(lambda value: number(value, 2)).rename("validation")
