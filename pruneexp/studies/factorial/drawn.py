"""A heat map of a factorial: the mean accuracy of each (allocation, choice)."""

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pruneexp.reports.figures.drawing import panels, styled
from pruneexp.studies.factorial.variance import ALLOCATION, CHOICE

CELL = (1.35, 0.62)  # inches
LIGHT = 0.5  # of the range of colours: above it letters are black


@styled
def heat_map(means: pd.DataFrame, seeds: int, title: str) -> Figure:
    """Allocations as rows and choices as columns, in their order in the table; in each cell mean, spread, and n where seeds are missing.

    Args:
        means: allocation, choice, n, accuracy, accuracy_spread: `pruneexp.studies.report.over_seeds`.
        seeds: that each is asked for.
        title: of the figure.
    """
    rows, columns = (list(dict.fromkeys(means[name])) for name in (ALLOCATION, CHOICE))
    values = means.pivot(index=ALLOCATION, columns=CHOICE, values="accuracy").loc[rows, columns].to_numpy(float)
    size = (1.8 + CELL[0] * len(columns), 1.3 + CELL[1] * len(rows))
    figure, ((axis,),) = panels(1, 1, size)
    image = axis.imshow(values, cmap=matplotlib.colormaps["cividis"].with_extremes(bad="#eeeeee"), aspect="auto")
    axis.set_yticks(range(len(rows)), rows)
    axis.set_xticks(range(len(columns)), columns)
    axis.set_ylabel("how many: allocation")
    axis.set_xlabel("which: choice")
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    low, width = np.nanmin(values), max(np.nanmax(values) - np.nanmin(values), 1e-9)
    drawn = zip(means[ALLOCATION], means[CHOICE], means["n"], means["accuracy"], means["accuracy_spread"], strict=True)
    for allocation, choice, n, mean, spread in drawn:
        shade = "black" if (mean - low) / width > LIGHT else "white"
        text, place = told(mean, spread, n, seeds), (columns.index(choice), rows.index(allocation))
        axis.text(*place, text, ha="center", va="center", fontsize=8, color=shade)
    figure.colorbar(image, ax=axis, label="accuracy (%)")
    figure.suptitle(title)
    return figure


def told(mean: float, spread: float, n: int, seeds: int) -> str:
    """``81.2 ± 0.4``: the mean and the largest deviation from it; with n where it is not all seeds."""
    text = f"{mean:.1f} ± {spread:.1f}" if n > 1 else f"{mean:.1f}"
    return text if n == seeds else f"{text}\nn = {n}"
