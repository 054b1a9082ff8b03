"""What colours, markers and line styles of a figure stand for: the same thing in each of its panels."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pruneexp.reports.figures.drawing import COLOURS, MARKERS
from pruneexp.reports.figures.names import Key, Names, keys_of, rows_of

LINES = ("-", "--", ":", "-.")


@dataclass(frozen=True)
class Entry:
    """What is drawn as one line: its name and its looks."""

    name: str
    colour: str
    marker: str
    line: str

    def style(self, **more: Any) -> dict[str, Any]:
        """Its looks as matplotlib's options of a line."""
        looks = {"color": self.colour, "marker": self.marker, "linestyle": self.line}
        return {**looks, "markersize": 4, "linewidth": 1.3, **more}


class Entries:
    """The lines of a figure, in the legend's order.

    Colours stand for `hue`; where lines of one colour differ in other columns as well (`rest`), markers and line styles stand for
    those. More values than there are colours get other markers and line styles, so that no two look alike.
    """

    def __init__(self, table: pd.DataFrame, hue: Sequence[str], rest: Sequence[str], names: Names) -> None:
        if len(keys_of(table, hue)) > len(COLOURS):  # there are no markers left for the rest
            hue, rest = [*hue, *rest], []
        self.columns = [*hue, *rest]
        varying = [column for column in self.columns if table[column].nunique() > 1]
        self.said = varying if {"scorer", "masker", "options"} & set(varying) else [*varying, "masker"]
        scored = table[table["scorer"] != "none"] if "scorer" in varying else table.head(0)
        # then a scorer says it all; the masks of others have a name of their own
        self.by_scorer = scored["masker"].nunique() == 1 < scored["scorer"].nunique()
        hues, rests = (self._named(keys_of(table, part), part, names) for part in (hue, rest))
        self.hues = [_looks(name, k) for k, name in enumerate(hues.values())]
        self.rests = [
            Entry(name, "black", MARKERS[k % 7], LINES[k % 4]) for k, name in enumerate(rests.values()) if rest
        ]
        self.entries: dict[Key, Entry] = {}
        present = keys_of(table, self.columns)
        for key, look in zip(hues, self.hues, strict=True):
            for other, its in zip(rests, self.rests or [look], strict=True):
                if (*key, *other) in present:
                    name = ", ".join(dict.fromkeys((look.name, its.name)))
                    self.entries[*key, *other] = Entry(name, look.colour, its.marker, its.line)

    def _named(self, keys: list[Key], columns: Sequence[str], names: Names) -> dict[Key, str]:
        named = {key: names.together(columns, key, self._telling(columns, key)) for key in keys}
        return {key: named[key] for key in names.arranged(keys, list(named.values()))}

    def _telling(self, columns: Sequence[str], key: Key) -> list[str]:
        """The columns that a method's name is made of."""
        scored = "scorer" in columns and key[list(columns).index("scorer")] != "none"
        return [column for column in self.said if not (column == "masker" and scored and self.by_scorer)]

    def only(self, rows: pd.DataFrame) -> "Entries":
        """Those that the rows have a part of."""
        own = copy.copy(self)
        present = keys_of(rows, self.columns)
        own.entries = {key: entry for key, entry in self.entries.items() if key in present}
        return own

    def labels(self) -> set[str]:
        """Every label and name that stands for a line."""
        return {label for key in self.entries for label in key} | {one.name for one in (*self.hues, *self.rests)}

    def within(self, rows: pd.DataFrame) -> Iterator[tuple[Entry, pd.DataFrame]]:
        """Each line that the rows have a part of, and that part."""
        for key, entry in self.entries.items():
            own = rows_of(rows, self.columns, key)
            if len(own):
                yield entry, own


def _looks(name: str, k: int) -> Entry:
    """The k-th colour; after a round of colours another marker and line style go with each."""
    again = k // len(COLOURS)
    return Entry(name, COLOURS[k % len(COLOURS)], MARKERS[(k + again) % len(MARKERS)], LINES[again % len(LINES)])
