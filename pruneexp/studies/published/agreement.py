"""A published figure beside ours, and whether the two agree.

Means with intervals of half widths a (ours) and b (published; 0 where no spread is printed) agree where

    |ours - published| <= sqrt(a^2 + b^2) + u / 2,    u the unit of the last digit that is printed,

the interval of the difference of two independent means and what rounding may take.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pandas as pd

from pruneexp.reports.published import ROW, numbered

PAPERS = {  # by the first word of the file
    "laenen": "Laenen 2023",
    "ramanujan": "Deterministic Ramanujan graphs",
    "topology": "Cunegatti et al.",
    "centrality": "Chowdhury et al. 2025",
}
AT, ELSEWHERE, NOT = "as published", "another recipe", "no"


def as_printed(path: Path) -> pd.DataFrame:
    """The rows of a published file as text, with their numbers."""
    return numbered(path, pd.read_csv(path, comment="#", dtype=str, keep_default_na=False))


def dicts(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows."""
    return cast("list[dict[str, Any]]", rows.to_dict("records"))


def compared(kind: str, text: str, half: float, ours: Sequence[float], own_half: float) -> dict[str, Any]:
    """A published figure as printed beside ours.

    Args:
        kind: of figure.
        text: as printed; nothing where the paper has an accuracy that is no better than guessing.
        half: of the published interval; NaN where none is printed.
        ours: of each seed, or the one figure.
        own_half: of our interval; NaN where there is none, and nothing is said.
    """
    mean = math.fsum(ours) / len(ours) if ours else math.nan
    published = float(text) if text else math.nan
    joint = math.hypot(0 if math.isnan(half) else half, own_half) + 0.5 * 10.0 ** -len(text.partition(".")[2])
    said = not math.isnan(mean + published + joint)
    within = abs(mean - published) <= joint * (1 + 1e-9)
    return {
        "figure": kind,
        "published": published,
        "published_ci95": half,
        "n": len(ours) if ours else math.nan,
        "ours": mean,
        "ci95": own_half,
        "difference": mean - published,
        "joint": joint if said else math.nan,
        "verdict": ("inside" if within else "outside") if said else "",
    }


def about(row: dict[str, Any], file: str, of: str, run: str, told: str, last: bool = False) -> dict[str, Any]:
    """What is said of a published figure besides its values.

    Args:
        row: of a published file.
        file: the file's name.
        of: what it is a figure of.
        run: `AT`, `ELSEWHERE` or `NOT`.
        told: our recipe, or the table that ours stands in.
        last: the figure stands in the last of the tables that the row names, else in the first.
    """
    named = re.search(r"Tables? (\d+)(?: and (\d+))?", row["source"])
    table = f"Table {named[last + 1] or named[1]}" if named else "abstract"
    place = {ROW: row[ROW], "source": row["source"]}
    return {"paper": PAPERS[file.partition("_")[0]], "table": table, "of": of, "run": run, "told": told} | place
