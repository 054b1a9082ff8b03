"""A table as CSV that every program reads."""

import pandas as pd

from pruneexp.system.console import visible


def plain_csv(table: pd.DataFrame) -> str:
    """The table as CSV without comments, a row for each group; several numbers in one field with spaces between; no empty columns.

    A row is one line: of characters that cannot be seen the escape stands there. Text that a spreadsheet would take for a formula (=, +, @
    at its begin) stays as it is: who joins tables by names needs the names, and a program that computes what it reads must be told not to.
    """
    known = table[[column for column in table if table[column].notna().any()]].map(
        lambda value: visible(value) if isinstance(value, str) else value
    )
    for column in known.columns.intersection(["accuracies", "drops", "drops_unpruned"]):
        known[column] = [" ".join(f"{value:.6g}" for value in values) for values in known[column]]
    return str(known.drop(columns=["group", "remark"], errors="ignore").to_csv(index=False, float_format="%.6g"))
