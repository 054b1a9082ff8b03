"""Accuracy against multiply-accumulates: what a smaller network costs, one line for each importance."""

from pathlib import Path

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.ticker import FuncFormatter

from pruneexp.components.options import component
from pruneexp.reports.figures.drawing import COLOURS, MARKERS, NETWORK, panels, rows_of, save, styled


@component("figure", name="macs")
@styled
def macs_figure(table: pd.DataFrame, stem: Path, title: str, command: str) -> list[Path]:
    """Draw the aggregated table, a panel for each network; write `stem`-macs.png and .svg.

    Lines join the cells of one scorer and masker, with their 95 % intervals; the dense network is the star that they start from.
    """
    one_masker = table.loc[table["scorer"] != "dense", "masker"].nunique() < 2
    networks = list(table[NETWORK].drop_duplicates().itertuples(index=False, name=None))
    figure, axes = panels(1, len(networks))
    handles: dict[str, Artist] = {}
    for axis, network in zip(axes[0], networks, strict=True):
        rows = rows_of(table, NETWORK, network)
        dense = rows[rows["scorer"] == "dense"]
        lines = rows[rows["scorer"] != "dense"].groupby(["scorer", "masker"], sort=False)
        for k, ((scorer, masker), line) in enumerate(lines):
            line = line.sort_values("macs")
            axis.errorbar(
                line["macs"], line["accuracy"], yerr=line["ci95"].fillna(0), label=scorer if one_masker else f"{scorer}, {masker}",
                color=COLOURS[k % len(COLOURS)], marker=MARKERS[k % len(MARKERS)], markersize=4, linewidth=1.4, capsize=2,
            )  # fmt: skip
        if len(dense):
            axis.errorbar(
                dense["macs"], dense["accuracy"], yerr=dense["ci95"].fillna(0), fmt="*", markersize=10, color="grey", label="dense"
            )  # fmt: skip
        axis.set_xscale("log")
        axis.set_xticks(sorted({float(f"{macs:.2g}") for macs in rows["macs"]}))
        axis.minorticks_off()
        axis.xaxis.set_major_formatter(FuncFormatter(lambda macs, _: f"{macs / 1e6:.3g}"))
        axis.set_xlabel("multiply-accumulates for an image (millions)")
        axis.set_title(f"{network[1]}, {network[0]}")
        axis.grid(alpha=0.25)
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    axes[0][0].set_ylabel("test accuracy (%)")
    figure.legend(list(handles.values()), list(handles), loc="outside right center", fontsize=8, frameon=False)
    figure.suptitle(f"{title}, n = {_counts(table)}")
    return save(figure, stem.with_name(f"{stem.name}-macs"), command)


def _counts(table: pd.DataFrame) -> str:
    """How many seeds the means are of."""
    low, high = table["n"].min(), table["n"].max()
    return str(low) if low == high else f"{low} to {high}"
