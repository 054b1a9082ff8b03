"""The aggregated table as people read it: the chosen columns as text, without what is empty, and what never varies in one line."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from pruneexp.components.component import Component
from pruneexp.reports.frame import METHOD, SETTING
from pruneexp.system.console import visible

ALWAYS = ["masker", "density"]
NEEDED = (*ALWAYS, "n", "accuracy")  # on a terminal, whatever its width; a long masker's name may become a heading
# then, as long as there is room, these, and the others in their own order
FIRST = ("scorer", "drop", "options", "published", "model", "dataset", "recipe", "precision")


@dataclass(frozen=True)
class Shown:
    """A table of text.

    Attributes:
        constant: what all rows have in common, by what it is.
        rows: text; the columns of the setting first.
        best: for each row ``best``, ``tied`` or nothing (see `against_best`): its accuracy is emphasised.
    """

    constant: dict[str, str]
    rows: pd.DataFrame
    best: list[str]

    @property
    def settings(self) -> list[str]:
        """The columns that say what a row is of."""
        return [column for column in self.rows if column in (*SETTING, "density")]

    def caption(self) -> str:
        """What all rows have in common."""
        return ", ".join(f"{name} {value}" for name, value in self.constant.items())


def shown(table: pd.DataFrame, columns: Mapping[str, Component]) -> Shown:
    """The table of text, each in one line of characters that can be seen.

    Args:
        table: aggregated.
        columns: in this order, after those of the setting.
    """
    setting = table[SETTING[:-1]].assign(density=[f"{100 * density:g} %" for density in table["asked_density"]])
    pruned = table["masker"] != "dense"
    constant = {}
    for name in SETTING[:-1]:
        own = setting.loc[pruned if name in METHOD and pruned.any() else slice(None), name]
        if own.nunique() == 1 and name not in ALWAYS and setting.loc[~pruned, name].nunique() <= 1:
            if own.iloc[0]:
                constant[name] = visible(str(own.iloc[0]))
            setting = setting.drop(columns=name)
    made = [column.call(table=table) for column in columns.values()]
    rows = pd.concat([setting, *made], axis=1).fillna("").astype(str).map(visible)
    rows.columns = pd.Index(_apart([visible(str(column)) for column in rows.columns]))
    rows = rows[[column for column in rows if rows[column].str.strip().ne("").any() or column in ALWAYS]]
    return Shown(constant, rows, list(table["best"]))


def indispensable(rows: pd.DataFrame) -> int:
    """How many columns, from the first on, a table is nothing without: what a row is of, and all up to its accuracy."""
    return list(rows).index("accuracy") + 1 if "accuracy" in rows else 1


def fitting(widths: Sequence[float], room: float, least: int) -> int:
    """How many columns, from the first on, have room; never fewer than the least."""
    kept = sum(total <= room for total in itertools.accumulate(widths))
    return max(kept, min(least, len(widths)))


def _apart(titles: list[str]) -> list[str]:
    """The titles, those that were there before with a number."""
    return [
        f"{title} ({count})" if (count := titles[: k + 1].count(title)) > 1 else title for k, title in enumerate(titles)
    ]
