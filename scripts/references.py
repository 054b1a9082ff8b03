"""Figures that sentences ask for, ``[SOURCE:] column=value; column=value -> column [%format]``, and where they stand.

A source is a table by its name (``quickstart`` is tables/quickstart.csv), a place in a JSON (``benchmarks/masks.json/rows``; a list is a
row for each of its entries, anything else is one row), a table of a Markdown page (``benchmarks/h100.md``, the first that has these
columns) or any other ``.csv``, all below results/. ``SOURCE: "words"`` stands for words that a page or log has as they are: what was
written by hand.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from pruneexp.reports.text import mean_of

REFERENCE = re.compile(r"\{([^{}]+)\}")
COUNT = "count"  # in a column's place: of the rows
COLUMNS = {"density": "asked_density"}  # as people say it
SOURCE = re.compile(r"(?P<source>[^;\"]+?):(?:\s+|$)(?P<rest>.*)")


class Sources:
    """The files under a folder that figures come from, each read once.

    Args:
        folder: that holds tables/ and benchmarks/.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.known = folder, dict[str, list[pd.DataFrame]]()

    def said(self, text: str, source: str = "") -> str:
        """Sentences with the figures that they ask for."""
        return REFERENCE.sub(lambda found: self.figure(found[1], source), text)

    def figure(self, words: str, source: str = "") -> str:
        """What a reference stands for.

        Args:
            words: that, without its braces; of several rows the mean is meant, of a list the median, of accuracies of cells the mean
                with its interval; without a format what stands there. ``count`` for a column is the number of rows.
            source: where none is given.

        Raises:
            SystemExit: no such file, words, row or column, or several rows where one is meant.
        """
        words = " ".join(words.split())
        where, arrow, what = (part.strip() for part in words.partition("->"))
        if found := SOURCE.fullmatch(where):
            source, where = found["source"], found["rest"]
        if not arrow and where.startswith('"'):
            return self._quoted(where.strip('"'), source)
        column, _, form = (part.strip() for part in what.partition(" %"))
        rows = self._rows(where, column, source) if arrow else None
        if rows is not None and column == COUNT and COUNT not in rows:
            return str(len(rows))
        if rows is None or rows.empty:
            sys.exit(f"{{{words}}} stands for nothing in {source}")
        several = len(rows) > 1
        if column == "accuracy" and "accuracies" in rows and not form and not several:
            values = [float(value) for value in str(rows["accuracies"].iloc[0]).split()]
            return mean_of(values, float(rows["ci95"].iloc[0]) if "ci95" in rows else float("nan"), 0, 100)
        if several and not form:
            sys.exit(f"{{{words}}} stands for {len(rows)} rows of {source}")
        return format(rows[column].map(_number).mean(), form) if form else str(rows[column].iloc[0])

    def _quoted(self, words: str, source: str) -> str:
        if words not in " ".join(self._text(source).split()):
            sys.exit(f'"{words}" stands for nothing in {source}')
        return words

    def _rows(self, where: str, column: str, source: str) -> pd.DataFrame | None:
        """Those with these values, of the first table that has the columns; None where there is no such table."""
        if source not in self.known:
            self.known[source] = list(self._read(source))
        conditions = [part.strip().partition("=") for part in where.split(";") if part.strip()]
        for rows in self.known[source]:
            if column in (*rows, COUNT) and all(
                _column(name, rows) in rows or not value for name, _, value in conditions
            ):
                for name, _, value in conditions:
                    rows = _with(rows, _column(name, rows), value)
                return rows
        return None

    def _read(self, source: str) -> Iterator[pd.DataFrame]:
        path, ending, inside = source.partition(".json")
        if ending:
            content = json.loads(self._text(f"{path}.json"))
            for key in filter(None, inside.split("/")):
                if not isinstance(content, dict) or key not in content:
                    sys.exit(f"there is no {source} to take figures from")
                content = content[key]
            yield pd.json_normalize(content)
        elif source.endswith(".md"):
            yield from markdown_tables(self._text(source))
        else:
            yield pd.read_csv(self._path(source if source.endswith(".csv") else f"tables/{source}.csv"))

    def _text(self, source: str) -> str:
        return self._path(source).read_text(encoding="utf-8")

    def _path(self, source: str) -> Path:
        if not (path := self.folder / source).is_file():
            sys.exit(f"there is no {source} to take figures from")
        return path


def markdown_tables(text: str) -> Iterator[pd.DataFrame]:
    """The tables of a page, numbers as numbers where a column has no other."""
    for block in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE):
        heading, _, *lines = (
            [part.strip() for part in line.strip().removeprefix("|").removesuffix("|").split("|")]
            for line in block.splitlines()
        )
        rows = pd.DataFrame(lines, columns=heading)
        yield rows.apply(lambda column: column if (found := _numbers(column)).isna().any() else found)


def _numbers(column: "pd.Series[Any]") -> "pd.Series[Any]":
    return pd.to_numeric(column.str.replace(",", ""), errors="coerce")


def _column(name: str, rows: pd.DataFrame) -> str:
    return asked if (asked := COLUMNS.get(name, name)) in rows else name


def _with(rows: pd.DataFrame, column: str, value: str) -> pd.DataFrame:
    if column not in rows:
        return rows  # an empty column is left out of a table, and an empty value was asked for
    if pd.api.types.is_numeric_dtype(rows[column]):
        return rows[(rows[column] - float(value)).abs() < 1e-9]
    return rows[rows[column].fillna("").astype(str) == value]


def _number(value: Any) -> float:
    if isinstance(value, list):
        return float(pd.Series(value).median())
    return float(str(value).replace(",", ""))
