"""What panels of a figure are made of: the columns of its table, and the rows that one panel shows."""

from dataclasses import dataclass

import pandas as pd

from pruneexp.reports.frame import METHOD

NETWORK = ["model", "dataset", "recipe", "precision"]
SETTING = [*NETWORK, *METHOD]


@dataclass
class Panel:
    """One panel: its rows of the table, of the dense network and of the single networks, and what stands above and beside it."""

    rows: pd.DataFrame
    dense: pd.DataFrame
    cells: pd.DataFrame
    heading: str = ""
    beside: str = ""
    family: str = ""  # those of one family share an axis of accuracies


def counts(rows: pd.DataFrame) -> str:
    """How many seeds the means are of: "n = 3" or "n = 2 to 3"; nothing where there is none."""
    n = rows.loc[rows["n"] > 0, "n"]
    return "" if n.empty else f"n = {n.min()}" + (f" to {n.max()}" if n.max() > n.min() else "")


def kept(rows: pd.DataFrame) -> str:
    """The one density of the rows in words; nothing where they have several."""
    densities = rows["asked_density"].unique()
    return f"{100 * densities[0]:.3g} % of weights kept" if len(densities) == 1 else ""
