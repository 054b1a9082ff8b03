"""What labels are called in a figure, and in which order they stand."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from pruneexp.errors import UserError, unknown
from pruneexp.reports.figures.choices import Titles
from pruneexp.system.console import visible

DOLLAR = re.compile(r"(?<!\\)\$")
Key = tuple[str, ...]  # labels of several columns


def keys_of(table: pd.DataFrame, columns: Sequence[str]) -> list[Key]:
    """The labels that stand together in these columns, first seen first; one empty key for no column."""
    return list(dict.fromkeys(tuple(row) for row in table[list(columns)].to_numpy()))


def rows_of(table: pd.DataFrame, columns: Sequence[str], key: Key) -> pd.DataFrame:
    """The rows that have these labels in these columns."""
    return table[(table[list(columns)] == list(key)).all(axis=1)]


def literal(text: str) -> str:
    """A text of one line in which no dollar begins a formula of matplotlib's; one that has a backslash before it is left so."""
    return DOLLAR.sub(r"\\$", visible(text))


class Names:
    """Human names of labels.

    Args:
        titles: the name of a group's label.
        order: labels, or names, in the order wanted; what it does not mention follows as first seen.
        labels: texts by label, or by name, in place of the title.
    """

    def __init__(self, titles: Titles, order: Sequence[str] = (), labels: Mapping[str, str] | None = None) -> None:
        self.titles, self.order, self.labels = titles, order, labels or {}

    def said(self, group: str, label: str) -> str:
        """One label's name, a dollar in it one that matplotlib takes for itself, not for the begin of a formula."""
        name = self.labels[label] if label in self.labels else self.titles(group, label)
        return literal(name)

    def together(self, columns: Sequence[str], key: Key, shown: Iterable[str]) -> str:
        """The name of labels that stand together, of those columns `shown`; "none" and nothing are said where there is no more, and what
        differs from others in its options alone, of which it has none, is "plain"."""
        pairs, wanted = list(zip(columns, key, strict=True)), set(shown)
        telling = [(column, label) for column, label in pairs if label not in ("", "none")]
        chosen = [pair for pair in telling if pair[0] in wanted]
        if not chosen and "options" not in wanted:
            chosen = telling or [pair for pair in pairs if pair[1]]
        name = ", ".join(self.said(*pair) for pair in chosen) or ("plain" if pairs else "")
        return self.labels.get(name, name)

    def arranged(self, keys: list[Key], names: Sequence[str]) -> list[Key]:
        """Keys in order: the first label, or name, of `order` that a key has decides, then the second."""

        def places(pair: tuple[Key, str]) -> list[float]:
            return sorted(self.order.index(one) if one in self.order else math.inf for one in (pair[1], *pair[0]))

        return [key for key, _ in sorted(zip(keys, names, strict=True), key=places)]

    def check_order(self, known: Iterable[str]) -> None:
        """Raises UserError where `order` has what is no label and no name of the figure."""
        labels = {label for label in known if label}
        for label in self.order:
            if label not in labels:
                raise UserError(unknown("label to order", label, labels))
