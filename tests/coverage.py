"""What docs/coverage.md says, as tests read it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from pruneexp.reports.published import ROW, numbered
from pruneexp.system.shipped import conf_dir, published_dir
from scripts.references import markdown_tables
from scripts.results_page import ROOT

PAGE = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
EXPERIMENTS = {path.stem for path in (conf_dir() / "experiment").glob("*.yaml")}
FIGURES = {"accuracy", "mean", "rbo_mean", "q"}  # columns of published files that are figures


@dataclass(frozen=True)
class Entry:
    """A line of the page.

    Attributes:
        printed: the paper's table or figure.
        rows: of it.
        made: what makes them, in words.
        numbers: files of results/published that have them.
    """

    printed: str
    rows: str
    made: str
    numbers: tuple[str, ...]

    @property
    def goals(self) -> list[str]:
        return re.findall(r"`make ([\w-]+)`", f"{self.made} {self.rows}")

    @property
    def experiments(self) -> list[str]:
        """Those that a goal runs, and those that are to be typed."""
        return re.findall(r"`(?:\+experiment=)?([a-z0-9]+_\w+)`", self.made)


def entries(text: str = PAGE) -> list[Entry]:
    """The lines of the tables of a page."""
    return [
        Entry(printed, rows, made, tuple(re.findall(r"`([\w/]+\.csv)`", numbers)))
        for table in markdown_tables(text)
        for printed, rows, made, numbers in table.itertuples(index=False)
    ]


def published_rows() -> Iterator[tuple[str, set[str], pd.DataFrame]]:
    """Of each file of results/published with figures, and each part of it that is printed in the same tables: its name, these, the rows."""
    for path in sorted(published_dir().rglob("*.csv")):
        rows = pd.read_csv(path, comment="#")
        if FIGURES & set(rows):
            rows = numbered(path, rows)
            for printed, part in rows.groupby(rows["source"].map(_printed)):
                yield path.relative_to(published_dir()).as_posix(), set(str(printed).split(", ")), part


def _printed(source: str) -> str:
    """``Tables 4 to 6`` are three, ``Tables 5 and 6`` two."""
    found = re.search(r"Tables? (\d+)(?: (?:and|to) (\d+))?", source)
    return (
        ", ".join(f"Table {number}" for number in range(int(found[1]), int(found[2] or found[1]) + 1))
        if found
        else "Abstract"
    )


def not_held(held: Mapping[str, set[str]], recipes: set[str]) -> list[str]:
    """The published rows of these recipes that no experiment holds which the page names for them.

    Args:
        held: by experiment the rows of results/published that stand beside its own.
        recipes: of conf/recipe.
    """
    missing = []
    for file, printed, rows in published_rows():
        named = [entry for entry in entries() if entry.printed in printed and file in entry.numbers]
        there = {row for entry in named for name in entry.experiments for row in held.get(name, set())}
        if "recipe" in rows:
            missing += sorted(set(rows.loc[rows["recipe"].isin(recipes), ROW]) - there)
    return missing
