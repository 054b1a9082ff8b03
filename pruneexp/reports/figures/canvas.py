"""The page that a figure stands on: panels and fonts for a width in inches, heading, legend off the data, height as they need."""

import textwrap
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from pruneexp.reports.figures import drawing
from pruneexp.reports.figures.names import literal

TEXT_WIDTH = 6.5  # of a printed page
NARROWEST = 1.75  # a panel in a figure of nobody's width
SMALLEST, LARGEST = 7.0, 9.0  # points
WIDEST_LEGEND = 0.4  # beside a panel, as a share of the figure
EDGE = 0.06  # inches
LINE = 1.4 / 72  # inches of a line of text for each point


class Canvas:
    """Panels of one width, with texts of the size that goes with it.

    Args:
        grid: what stands on it, in rows; the first row is as long as any.
        width: of the whole figure in inches; None fits a printed page up to three columns.
        height: of a panel in inches; None follows its width.
    """

    def __init__(self, grid: Sequence[Sequence[object]], width: float | None, height: float | None = None) -> None:
        rows, columns = len(grid), len(grid[0])
        self.width = width or max(TEXT_WIDTH, NARROWEST * columns)
        panel = self.width / columns
        self.font = float(np.clip(LARGEST * panel / 2.2, SMALLEST, LARGEST))
        self.small = max(SMALLEST, self.font - 1)
        self.height = rows * (height or float(np.clip(0.85 * panel, 1.5, 3.2)))
        sizes: dict[Any, Any] = dict.fromkeys(("font.size", "axes.titlesize", "axes.labelsize"), self.font)
        sizes |= dict.fromkeys(
            ("xtick.labelsize", "ytick.labelsize", "legend.fontsize", "legend.title_fontsize"), self.small
        )
        self.style = {**drawing.STYLE, **sizes}
        with self.styled():
            self.figure, self.axes = drawing.panels(rows, columns, (panel, self.height / rows))
            for axis in self.axes.flat:
                axis.tick_params(labelsize=self.small)  # ticks are made later, in another style

    def styled(self) -> AbstractContextManager[None]:
        """What is drawn in it has the house's style, at this size."""
        return matplotlib.rc_context(self.style)

    def finish(self, title: str, about: Sequence[str], handles: Sequence[Artist], beside: bool = False) -> Figure:
        """Put heading and legend off the panels, and let the height follow.

        Args:
            title: the figure's.
            about: what is said once, in small below the title.
            handles: of the legend.
            beside: whether the legend may stand at the right where it is narrow enough; below otherwise.
        """
        big = self.font + 1
        lines = [(line, big) for line in self._wrapped(literal(title), big)]
        lines += [(line, self.small) for line in self._wrapped("; ".join(about), self.small)]
        with self.styled():
            below, at_right = self._legend(handles, beside) if handles else (0.0, 0.0)
        heading = sum(size * LINE for _, size in lines) + 2 * EDGE
        # a legend at the right is in the middle of the whole height, and must not reach the heading
        panels = max(self.height + below, at_right + heading)
        height = panels + heading
        self.figure.set_size_inches(self.width, height)
        self.figure.set_layout_engine(ConstrainedLayoutEngine(rect=(0, 0, 1, panels / height)))
        place = height - EDGE
        for line, size in lines:
            self.figure.text(EDGE / self.width, place / height, line, fontsize=size, va="top")
            place -= size * LINE
        return self.figure

    def _wrapped(self, text: str, size: float) -> list[str]:
        """Lines of text that the figure has room for; a letter is about half as wide as it is high."""
        return textwrap.wrap(text, int((self.width - 2 * EDGE) * 72 / (0.55 * size)))

    def _legend(self, handles: Sequence[Artist], beside: bool) -> tuple[float, float]:
        """Draw the legend, in as many columns as fit; its height in inches if it is below, and if it is at the right."""
        options: dict[str, Any] = {"handles": list(handles), "frameon": False, "borderaxespad": 0.3}
        ways: list[tuple[Any, int, float]] = [
            ("outside lower center", columns, 1.0) for columns in range(len(handles), 0, -1)
        ]
        if beside:
            ways.insert(0, ("outside right center", 1, WIDEST_LEGEND))
        for way, columns, room in ways:
            legend = self.figure.legend(loc=way, ncols=columns, **options)
            box = legend.get_window_extent()
            if box.width < room * self.figure.bbox.width:
                break
            if (way, columns, room) != ways[-1]:
                legend.remove()
        height = float(box.height / self.figure.dpi)
        return (0.0, height) if way == "outside right center" else (height, 0.0)
