"""The best of what is compared, and what cannot be told from it."""

import pandas as pd

from pruneexp.reports.frame import NETWORK
from pruneexp.reports.intervals import FEWEST, indistinguishable

WITHIN = [*NETWORK, "asked_density"]  # what methods are compared in


def marked_best(cells: pd.DataFrame, table: pd.DataFrame) -> "pd.Series[str]":
    """For each row of the table ``best``, ``tied``, or nothing.

    Pruned networks of one data set, model, recipe, precision and density are compared. The best has the highest mean accuracy of
    those with at least three seeds; tied with it is what has at least three seeds in common with it, where the 95 % interval of
    the mean of their differences, seed by seed, holds 0. Intervals are of one comparison each, not of all at once.

    Args:
        cells: the tidy frame.
        table: its groups, with n and accuracy.
    """
    marks = dict.fromkeys(table.index, "")
    seeds = {
        str(group): own.set_index("seed")["accuracy"].dropna() for group, own in cells.groupby("group", sort=False)
    }
    pruned = table[(table["masker"] != "dense") & (table["n"] >= FEWEST)]
    for _, rows in pruned.groupby(WITHIN, sort=False):
        if len(rows) < 2:
            continue
        names = {row: str(group) for row, group in rows["group"].items()}
        means = {
            row: (float(mean), names[row]) for row, mean in rows["accuracy"].items()
        }  # of equal ones always the same
        best = max(means, key=lambda row: means[row])
        marks[best] = "best"
        for other in names.keys() - {best}:
            if indistinguishable((seeds[names[best]] - seeds[names[other]]).dropna()):
                marks[other] = "tied"
    return pd.Series(marks, dtype=str)
