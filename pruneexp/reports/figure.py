"""Accuracy against density: one line for each method, its interval as a band, the dense network as a reference."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe & Ito
MARKERS = "osD^vPX"


def accuracy_figure(table: pd.DataFrame, stem: Path, title: str, command: str) -> list[Path]:
    """Draw the aggregated table, a panel for each (dataset, model, scorer); write `stem`.png and `stem`.svg."""
    plt.rcParams.update(
        {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "pruneexp"}
    )
    is_dense = table["scorer"] == "dense"
    dense, pruned = table[is_dense], table[~is_dense]
    panels = list((pruned if len(pruned) else dense).groupby(["dataset", "model", "scorer", "recipe"], sort=False))
    figure, axes = plt.subplots(1, len(panels), figsize=(4.6 * len(panels), 3.4), squeeze=False, layout="constrained")
    for axis, ((dataset, model, scorer, recipe), panel) in zip(axes[0], panels, strict=True):
        baseline = dense[(dense[["dataset", "model", "recipe"]] == [dataset, model, recipe]).all(axis=1)]
        _panel(axis, panel, baseline)
        axis.set_title(f"{model}, {dataset}, {scorer}")
    axes[0][0].set_ylabel("test accuracy (%)")
    figure.suptitle(title)
    paths = [stem.with_name(f"{stem.name}.{kind}") for kind in ("png", "svg")]
    metadata = [{"Description": command, "Software": None}, {"Description": command, "Date": None}]
    for path, about in zip(paths, metadata, strict=True):
        scratch = path.with_name(f".{path.name}.partial")
        figure.savefig(scratch, dpi=150, metadata=about, format=path.suffix[1:])
        scratch.replace(path)
    plt.close(figure)
    return paths


def _panel(axis: Axes, panel: pd.DataFrame, baseline: pd.DataFrame) -> None:
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
    axis.set_xscale("log")
    ticks = sorted(panel["asked_density"].unique())
    axis.set_xticks(ticks)
    axis.minorticks_off()
    axis.xaxis.set_major_formatter(FuncFormatter(lambda density, _: f"{100 * density:g}"))
    axis.set_xlabel("density (% of weights kept)")
    axis.grid(alpha=0.25)
    axis.legend(fontsize=8, frameon=False)
