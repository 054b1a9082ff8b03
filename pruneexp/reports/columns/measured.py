"""What measurements of one's own have found."""

import pandas as pd

from pruneexp.components.options import component
from pruneexp.records.record import FIGURES
from pruneexp.reports.frame import OF_ALL, OF_UPDATES
from pruneexp.reports.table import AGGREGATED
from pruneexp.reports.text import number

KNOWN = {*FIGURES, *OF_ALL, *AGGREGATED}
FEW = 3  # figures of a measurement that a page has room for; the CSV has all
OTHERS = ("latency", *OF_UPDATES)  # that have a column of their own


@component("column")
def measured(table: pd.DataFrame) -> pd.DataFrame:
    """A column for each figure of a measurement that has no more than three, mean over seeds."""
    columns = [column for column in map(str, table.select_dtypes("number")) if column not in KNOWN]
    fields = [column.partition("/")[0] for column in columns]
    few = [
        column for column, name in zip(columns, fields, strict=True) if fields.count(name) <= FEW and name not in OTHERS
    ]
    texts = {column.replace("/", " "): table[column].map(lambda value: number(value, 4)) for column in few}
    return pd.DataFrame(texts, table.index)
