"""A table as CSV that every program reads."""

import pandas as pd


def plain_csv(table: pd.DataFrame) -> str:
    """The table as CSV without comments, a row for each group; several numbers in one field with spaces between; no empty columns."""
    known = table[[column for column in table if table[column].notna().any()]].copy()
    for column in known.columns.intersection(["accuracies", "drops", "drops_unpruned"]):
        known[column] = [" ".join(f"{value:.6g}" for value in values) for values in known[column]]
    return str(known.drop(columns=["group", "remark"], errors="ignore").to_csv(index=False, float_format="%.6g"))
