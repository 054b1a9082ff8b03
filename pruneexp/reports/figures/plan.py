"""Which panels a figure has, what stands above them, and what is said once for all of them."""

import copy
import textwrap
from collections.abc import Sequence

import pandas as pd

from pruneexp.reports.figures.choices import Facet, Hue
from pruneexp.reports.figures.drawing import GREY
from pruneexp.reports.figures.entries import Entries
from pruneexp.reports.figures.names import Key, Names, keys_of, rows_of
from pruneexp.reports.figures.panels import NETWORK, SETTING, Panel, counts, kept
from pruneexp.reports.frame import METHOD

PER_ROW = 3
LETTERS = 36  # of a line of a name: about a third of a printed page


class Plan:
    """What a figure of a table shows, in which panels, under which names: `grid` has the rows of panels, one of no rows is a hole.

    Args:
        table, cells: as every figure gets them; `cells` may be empty.
        hue: the columns that colours stand for; a method is (scorer, masker, options).
        facet: what panels are; a network is (model, dataset, recipe, precision). Panels of a part of the method are rows of panels,
            with networks as columns, where there are several networks.

    Raises:
        UserError: the names' order has what the figure does not show.
    """

    def __init__(self, table: pd.DataFrame, cells: pd.DataFrame, names: Names, hue: Hue, facet: Facet) -> None:
        table = table.reset_index(drop=True)
        cells = cells if len(cells) else table.head(0)
        pruned = table["scorer"] != "dense"
        # of dense networks alone each is a line of its own
        self.shown, self.dense = (table[pruned], table[~pruned]) if pruned.any() else (table, table.head(0))
        self.cells, self.names = cells, names
        colours = METHOD if hue == "method" else [hue]
        self.across = {"network": NETWORK, "none": []}.get(facet, NETWORK if facet in METHOD else [facet])
        self.across = [column for column in self.across if column == facet or column != hue]
        self.down: list[str] = [facet] if facet in METHOD else []
        if self.down and len(keys_of(self.shown, self.across)) == 1:
            self.across, self.down = self.down, []
        faceted = {*self.across, *self.down}
        colours = [column for column in colours if column not in faceted] or colours
        rest = [column for column in SETTING if column not in {*colours, *faceted}]
        rest = [column for column in rest if self.varies(column)]
        self.entries = Entries(self.shown, colours, rest, names)
        self.dense = self.dense.assign(colour=self._dense_colours(colours))
        names.check_order({*self.entries.labels(), *self.shown[[*faceted]].to_numpy().flat})
        self._settle()

    def _settle(self) -> None:
        """What follows from the rows: the panels, and where the number of seeds is said."""
        self.grid = self._grid()
        self.panels = [panel for row in self.grid for panel in row if len(panel.rows)]
        self.count = counts(pd.concat([self.shown, self.dense]))
        self.count_by_method = " to " in self.count
        by_panel = [counts(pd.concat([panel.rows, panel.dense])) for panel in self.panels]
        if self.count_by_method and not self.down and " to " not in "".join(by_panel):
            self.count_by_method = False
            for panel, count in zip(self.panels, by_panel, strict=True):
                panel.heading = f"{panel.heading} ({count})" if count else panel.heading

    def _dense_colours(self, hue: Sequence[str]) -> list[str]:
        """Grey, unless colours stand for something that dense networks have as well."""
        colours = {key[: len(hue)]: entry.colour for key, entry in self.entries.entries.items()}
        own = set(hue) <= set(NETWORK)
        return [colours.get(tuple(row), GREY) if own else GREY for row in self.dense[list(hue)].to_numpy()]

    def part(self, columns: Sequence[str], key: Key) -> "Plan":
        """The plan of those rows alone, with the looks that they have in the whole."""
        own = copy.copy(self)
        network = [(column, label) for column, label in zip(columns, key, strict=True) if column in NETWORK]
        own.shown, own.cells = rows_of(self.shown, columns, key), rows_of(self.cells, columns, key)
        own.dense = rows_of(self.dense, [column for column, _ in network], tuple(label for _, label in network))
        own.entries = self.entries.only(own.shown)
        own._settle()
        return own

    def varies(self, column: str) -> bool:
        """Whether what is shown has several labels in this column."""
        return self.shown[column].nunique() > 1

    def _grid(self) -> list[list[Panel]]:
        across, down = (self._arranged(columns) for columns in (self.across, self.down))
        if self.down:
            return [[self._panel(column, row, k == 0) for column in across] for k, row in enumerate(down)]
        lines = -(-len(across) // PER_ROW)
        per_line = -(-len(across) // lines)
        panels = [self._panel(key, (), True) for key in across]
        return [panels[k : k + per_line] for k in range(0, len(panels), per_line)]

    def _arranged(self, columns: Sequence[str]) -> list[Key]:
        keys = keys_of(self.shown, columns)
        return self.names.arranged(keys, [self.names.together(columns, key, columns) for key in keys])

    def _panel(self, column: Key, row: Key, headed: bool) -> Panel:
        where = dict(zip([*self.across, *self.down], [*column, *row], strict=True))
        rows, cells = (rows_of(frame, list(where), tuple(where.values())) for frame in (self.shown, self.cells))
        network = {name: label for name, label in where.items() if name in NETWORK}
        dense = rows_of(self.dense, list(network), tuple(network.values()))
        same = dense[dense["options"] == where.get("options", "")]
        heading = self.names.together(self.across, column, self.in_headings()) if headed and self.in_headings() else ""
        beside = self.names.together(self.down, row, self.down)
        return Panel(rows, same if len(same) else dense, cells, heading, beside, where.get("dataset", ""))

    def in_headings(self) -> list[str]:
        """The columns that tell the panels apart; of a single panel those that name its network."""
        one = len(keys_of(self.shown, self.across)) == 1
        return [column for column in self.across if self.varies(column) or (one and column in ("model", "dataset"))]

    def once(self) -> list[str]:
        """What is the same all over the figure and said neither in its headings nor in its legend."""
        said = {*self.in_headings(), *self.entries.said, *self.down}
        silent = [
            c
            for c in ("model", "dataset", "scorer", "masker", "options", "recipe")
            if c not in said and not self.varies(c)
        ]
        pairs = [(column, str(self.shown[column].iloc[0])) for column in silent]
        kind = {"scorer": "scores: ", "masker": "masks: ", "recipe": "recipe: "}
        told = [kind.get(c, "") + self.names.said(c, label) for c, label in pairs if label not in ("none", "dense", "")]
        densities = kept(self.shown) if len(self.dense) or "dense" not in set(self.shown["scorer"]) else ""
        return list(filter(None, [*told, densities, "" if " to " in self.count else self.count]))

    def counted(self, name: str, rows: pd.DataFrame) -> str:
        """A name in the legend, in lines, with its number of seeds where that is not the same all over the figure."""
        told = counts(rows).replace(" ", "\N{NO-BREAK SPACE}") if self.count_by_method else ""
        return "\n".join(textwrap.wrap(f"{name} ({told})" if told else name, LETTERS, break_on_hyphens=False))

    def counted_names(self) -> list[str]:
        """The names of all entries."""
        return [self.counted(entry.name, rows) for entry, rows in self.entries.within(self.shown)]
