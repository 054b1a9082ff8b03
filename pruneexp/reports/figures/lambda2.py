"""lambda_2 of every layer against density, beside the accuracy (Laenen 2023, figures 3 and 4)."""

from pathlib import Path
from typing import Any, Literal

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from pruneexp.components.options import component
from pruneexp.reports.figures.accuracy import accuracy_panel
from pruneexp.reports.figures.drawing import COLOURS, MARKERS, NETWORK, density_axis, panels, rows_of, save, styled

LINES: tuple[Literal["-", ":", "--", "-."], ...] = ("-", ":", "--", "-.")
PER_ROW = 5  # small multiples


@component("figure", name="lambda2")
@styled
def lambda2_figures(table: pd.DataFrame, layers: pd.DataFrame, stem: Path, title: str, command: str) -> list[Path]:
    """Draw both figures for each network and scorer.

    `stem`-lambda2: accuracy on the left, lambda_2 of the mask on the right, colours for layers and line styles for methods;
    `stem`-lambda2-layers: a small panel for each layer. A cross is a layer that has collapsed to stars, single edges or nothing.
    Where several networks or scorers are in the table, their names
    are part of the file's.
    """
    is_dense = table["scorer"] == "dense"
    dense, pruned = table[is_dense], table[~is_dense]
    subjects = list(pruned[[*NETWORK, "scorer"]].drop_duplicates().itertuples(index=False, name=None))
    paths = []
    for subject in subjects:
        mine = [rows_of(frame, [*NETWORK, "scorer"], subject) for frame in (pruned, layers)]
        baseline = rows_of(dense, NETWORK, subject[:-1])
        name = stem.name if len(subjects) == 1 else f"{stem.name}-{subject[1]}-{subject[0]}-{subject[3]}"
        heading = f"{title}: {subject[1]}, {subject[0]}, {subject[3]}"
        paths += _beside_accuracy(mine[0], baseline, mine[1], stem.with_name(f"{name}-lambda2"), heading, command)
        paths += _small_multiples(mine[1], stem.with_name(f"{name}-lambda2-layers"), heading, command)
    return paths


def _beside_accuracy(
    panel: pd.DataFrame, baseline: pd.DataFrame, layers: pd.DataFrame, stem: Path, title: str, command: str
) -> list[Path]:
    figure, ((left, right),) = panels(1, 2, (5.4, 4.2))
    accuracy_panel(left, panel, baseline)
    left.set_ylabel("test accuracy (%)")
    names, methods = list(layers["layer"].unique()), list(layers["masker"].unique())
    colours = matplotlib.colormaps["turbo"].resampled(len(names) + 1)
    for (name, method), line in layers.groupby(["layer", "masker"], sort=False):
        k = methods.index(method)
        _line(
            right,
            line,
            {
                "color": colours(names.index(name)),
                "linestyle": LINES[k % len(LINES)],
                "marker": MARKERS[k % len(MARKERS)],
            },
        )
    density_axis(right, layers["asked_density"])
    right.set_ylabel("$\\lambda_2$ of the kept graph, largest component")
    handles = [Line2D([], [], color=colours(k), label=name) for k, name in enumerate(names)]
    handles += [
        Line2D(
            [],
            [],
            color="black",
            linestyle=LINES[k % len(LINES)],
            marker=MARKERS[k % len(MARKERS)],
            markersize=4,
            label=method,
        )
        for k, method in enumerate(methods)
    ]
    if (layers["collapsed"] == layers["n"]).any():
        handles.append(Line2D([], [], color="black", linestyle="", marker="x", label="collapsed"))
    right.legend(handles=handles, fontsize=7, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.suptitle(title)
    return save(figure, stem, command)


def _small_multiples(layers: pd.DataFrame, stem: Path, title: str, command: str) -> list[Path]:
    names = list(layers["layer"].unique())
    columns = min(PER_ROW, len(names))
    figure, axes = panels(-(-len(names) // columns), columns, (2.4, 2.0), sharex=True, sharey=True)
    for axis, name in zip(axes.flat, names, strict=False):
        own = layers[layers["layer"] == name]
        for k, (method, line) in enumerate(own.groupby("masker", sort=False)):
            _line(
                axis, line, {"color": COLOURS[k % len(COLOURS)], "marker": MARKERS[k % len(MARKERS)], "label": method}
            )
        density_axis(axis, layers["asked_density"])
        axis.tick_params(labelsize=6)
        axis.set_xlabel("")
        axis.set_title(name, fontsize=8)
    for axis in axes.flat[len(names) :]:
        axis.set_axis_off()
    axes.flat[0].legend(fontsize=7, frameon=False)
    figure.supxlabel("density (% of weights kept)", fontsize=9)
    figure.supylabel("$\\lambda_2$", fontsize=9)
    figure.suptitle(title)
    return save(figure, stem, command)


def _line(axis: Axes, line: pd.DataFrame, style: dict[str, Any]) -> None:
    """One layer under one method; a cross at zero where it has collapsed in every seed (see `layer_table`)."""
    line = line.sort_values("asked_density")
    axis.plot(line["asked_density"], line["lambda2"], markersize=3, linewidth=1.2, **style)
    collapsed = line.loc[line["collapsed"] == line["n"], "asked_density"]
    if len(collapsed):
        axis.plot(collapsed, 0 * collapsed, "x", markersize=7, color=style["color"])
