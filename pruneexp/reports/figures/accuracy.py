"""Accuracy against density: one line for each method, its interval as a band, the dense network as a reference."""

import io
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from pruneexp.system import files

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe & Ito
MARKERS = "osD^vPX"
NETWORK = ["dataset", "model", "recipe"]
PANEL = (4.6, 3.4)  # inches


def accuracy_figure(table: pd.DataFrame, stem: Path, title: str, command: str) -> list[Path]:
    """Draw the aggregated table, a panel for each network and scorer; write `stem`.png and `stem`.svg.

    Of several networks each is a column and each scorer a row, as in figure 2 of Laenen (2023); the scorers of a single
    network stand side by side.
    """
    is_dense = table["scorer"] == "dense"
    dense, pruned = table[is_dense], table[~is_dense]
    shown = pruned if len(pruned) else dense
    networks = list(shown[NETWORK].drop_duplicates().itertuples(index=False, name=None))
    scorers = list(shown["scorer"].unique())
    one = len(networks) == 1
    figure, axes = panels(1 if one else len(scorers), len(scorers) if one else len(networks))
    for column, network in enumerate(networks):
        baseline = rows_of(dense, NETWORK, network)
        for row, scorer in enumerate(scorers):
            axis = axes[0][row] if one else axes[row][column]
            panel = rows_of(shown, [*NETWORK, "scorer"], (*network, scorer))
            if panel.empty:
                axis.set_axis_off()
                continue
            accuracy_panel(axis, panel, baseline)
            axis.set_title(f"{network[1]}, {network[0]}, {scorer}")
    for row in axes:
        row[0].set_ylabel("test accuracy (%)")
    figure.suptitle(title)
    return save(figure, stem, command)


def rows_of(table: pd.DataFrame, columns: list[str], values: tuple[str, ...]) -> pd.DataFrame:
    """The rows that have these values in these columns."""
    return table[(table[columns] == list(values)).all(axis=1)]


def panels(rows: int, columns: int, size: tuple[float, float] = PANEL, **options: Any) -> tuple[Figure, Any]:
    """A figure of `rows` x `columns` axes [rows][columns] in the house's style."""
    plt.rcParams.update(
        {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "pruneexp"}
    )
    return plt.subplots(
        rows, columns, figsize=(size[0] * columns, size[1] * rows), squeeze=False, layout="constrained", **options
    )


def save(figure: Figure, stem: Path, command: str) -> list[Path]:
    """Write `stem`.png and `stem`.svg with the command in them, and close the figure."""
    paths = [stem.with_name(f"{stem.name}.{kind}") for kind in ("png", "svg")]
    metadata = [{"Description": command, "Software": None}, {"Description": command, "Date": None}]
    for path, about in zip(paths, metadata, strict=True):
        content = io.BytesIO()
        figure.savefig(content, dpi=150, metadata=about, format=path.suffix[1:])
        files.write(path, content.getvalue())
    plt.close(figure)
    return paths


def accuracy_panel(axis: Axes, panel: pd.DataFrame, baseline: pd.DataFrame) -> None:
    """Lines of one network and scorer; `baseline` holds its dense rows."""
    for k, (method, line) in enumerate(panel.groupby("masker", sort=False)):
        line = line.sort_values("density")
        style: dict[str, Any] = {"color": COLOURS[k % len(COLOURS)], "marker": MARKERS[k % len(MARKERS)]}
        axis.plot(
            line["density"],
            line["accuracy"],
            label=f"{method} (n = {line['n'].min()})",
            markersize=4,
            linewidth=1.4,
            **style,
        )
        axis.fill_between(
            line["density"],
            line["accuracy"] - line["ci95"],
            line["accuracy"] + line["ci95"],
            color=style["color"],
            alpha=0.18,
            linewidth=0,
        )
        known = line.dropna(subset=["published"])
        if len(known):
            axis.errorbar(
                known["density"], known["published"], yerr=known["published_ci95"], fmt="*", markersize=9, color=style["color"],
                markeredgecolor="black", markeredgewidth=0.5, label=f"{method}, published",
            )  # fmt: skip
    for accuracy, ci95 in baseline[["accuracy", "ci95"]].itertuples(index=False):
        axis.axhline(accuracy, color="grey", linestyle="--", linewidth=1, label="dense")
        if ci95 == ci95:
            axis.axhspan(accuracy - ci95, accuracy + ci95, color="grey", alpha=0.15, linewidth=0)
    density_axis(axis, panel["asked_density"])
    low, high = axis.get_ylim()
    axis.set_ylim(max(low, 0), min(high, 100))  # an interval of two seeds reaches far
    axis.legend(fontsize=8, frameon=False)


def density_axis(axis: Axes, densities: pd.Series) -> None:
    """A logarithmic axis with a tick for each density, in percent."""
    axis.set_xscale("log")
    axis.set_xticks(sorted(densities.unique()))
    axis.minorticks_off()
    axis.xaxis.set_major_formatter(FuncFormatter(lambda density, _: f"{100 * density:g}"))
    axis.set_xlabel("density (% of weights kept)")
    axis.grid(alpha=0.25)
