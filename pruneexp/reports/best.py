"""The best of what is compared, and what cannot be told from it."""

import math

import pandas as pd

from pruneexp.reports.comparison import with_the_first
from pruneexp.reports.frame import NETWORK
from pruneexp.reports.intervals import FEWEST

WITHIN = [*NETWORK, "asked_density"]  # what methods are compared in
LEVEL = 0.05
COLUMNS = ["best", "best_difference", "difference_ci95", "best_p"]
NONE = (math.nan, math.nan, math.nan)


def against_best(cells: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Each row of the table compared with the best of its network and density.

    Pruned networks of one data set, model, recipe, precision and density are compared. The best has the highest mean accuracy of
    those with at least three seeds. With it are compared those that have at least three seeds in common with it, all in one linear
    model of method and seed, of the cells that are there (`with_the_first`). What is below it with a Holm-corrected p under 5 % is told
    from it; the others are tied with it. Where nothing can be compared with it, it is not marked.

    Since the best is chosen by the same accuracies, the correction is for all pairs of methods: so among equal ones some method is told
    from it in 5 % of groups at most (corrected for those with the best alone: of ten methods on five seeds in 13 %).

    Args:
        cells: the tidy frame.
        table: its groups, with n and accuracy.

    Returns:
        Columns, in the table's order: `best`, ``best``, ``tied``, or nothing; of what is compared with the best `best_difference`, the
        accuracy that the best has more by that model (where methods lack seeds it is not the difference of the means), its
        `difference_ci95`, uncorrected, and `best_p`, corrected.
    """
    found = dict.fromkeys(table.index, ("", *NONE))
    seeds = {
        str(group): own.set_index("seed")["accuracy"].dropna() for group, own in cells.groupby("group", sort=False)
    }
    pruned = table[(table["masker"] != "dense") & (table["n"] >= FEWEST)]
    for _, rows in pruned.groupby(WITHIN, sort=False):
        ranked = rows.sort_values(["accuracy", "group"], ascending=False)  # of equal ones always the same
        wide = pd.concat([seeds[group] for group in ranked["group"]], axis=1, keys=ranked.index)
        best, *others = wide
        others = [row for row in others if wide[[best, row]].notna().all(axis=1).sum() >= FEWEST]
        if others:
            compared = with_the_first(wide[[best, *others]].to_numpy())
            found[best] = ("best", *NONE)
            for row, more, half, p in zip(others, compared.differences, compared.halves, compared.p, strict=True):
                found[row] = ("" if more > 0 and p < LEVEL else "tied", float(more), float(half), float(p))
    return pd.DataFrame(list(found.values()), table.index, COLUMNS)


def uncompared(table: pd.DataFrame) -> "pd.Series[bool]":
    """Which pruned networks, beside others that were compared with the best, were not, for want of seeds in common with it."""
    beside = table.groupby(WITHIN)["best"].transform("max").ne("")
    return beside & table["best"].eq("") & table["best_p"].isna() & table["masker"].ne("dense")
