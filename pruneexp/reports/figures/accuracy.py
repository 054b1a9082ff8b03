"""Accuracy against density: one line for each method, its interval as a band, the dense network as a reference."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from pruneexp.components.options import component
from pruneexp.reports.figures.drawing import COLOURS, MARKERS, NETWORK, density_axis, panels, rows_of, save, styled


@component("figure", name="accuracy")
@styled
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
