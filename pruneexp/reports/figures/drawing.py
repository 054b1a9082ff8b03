"""What figures share: the house's style, panels, the axis of densities, the files. Nobody's backend or style is changed."""

import io
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from pruneexp.system import files

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe & Ito
MARKERS = "osD^vPX"
NETWORK = ["dataset", "model", "recipe"]
PANEL = (4.6, 3.4)  # inches
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "pruneexp",
}

# around a function that draws: what it makes and saves is in the house's style
styled = matplotlib.rc_context(STYLE)


def rows_of(table: pd.DataFrame, columns: list[str], values: tuple[str, ...]) -> pd.DataFrame:
    """The rows that have these values in these columns."""
    return table[(table[columns] == list(values)).all(axis=1)]


def panels(rows: int, columns: int, size: tuple[float, float] = PANEL, **options: Any) -> tuple[Figure, Any]:
    """A figure of `rows` x `columns` axes [rows][columns]."""
    figure = Figure(figsize=(size[0] * columns, size[1] * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


@styled
def save(figure: Figure, stem: Path, command: str) -> list[Path]:
    """Write `stem`.png and `stem`.svg with the command in them."""
    paths = [stem.with_name(f"{stem.name}.{kind}") for kind in ("png", "svg")]
    metadata = [{"Description": command, "Software": None}, {"Description": command, "Date": None}]
    for path, about in zip(paths, metadata, strict=True):
        content = io.BytesIO()
        figure.savefig(content, dpi=150, metadata=about, format=path.suffix[1:])
        files.write(path, content.getvalue())
    return paths


def density_axis(axis: Axes, densities: pd.Series) -> None:
    """A logarithmic axis with a tick for each density, in percent."""
    axis.set_xscale("log")
    axis.set_xticks(sorted(densities.unique()))
    axis.minorticks_off()
    axis.xaxis.set_major_formatter(FuncFormatter(lambda density, _: f"{100 * density:g}"))
    axis.set_xlabel("density (% of weights kept)")
    axis.grid(alpha=0.25)
