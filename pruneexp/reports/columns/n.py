"""How many seeds a mean is of."""

import pandas as pd

from pruneexp.components.options import component


@component("column")
def n(table: pd.DataFrame) -> "pd.Series[str]":
    """Seeds with an accuracy; ``2 of 3`` where others have none, ``3 (1 diverged)`` where the accuracy is of a network that diverged."""
    counts = zip(table["n"], table["seeds"], table["diverged"], strict=True)
    return pd.Series([_told(*numbers) for numbers in counts], table.index, name="n")


def _told(n: int, seeds: int, diverged: int) -> str:
    """Of those without an accuracy each has diverged."""
    told, with_one = f"{n}" if n == seeds else f"{n} of {seeds}", diverged - (seeds - n)
    return f"{told} ({with_one} diverged)" if with_one > 0 else told
