"""Figures 2 to 5 of Cunegatti et al.: Ramanujan metrics beside layer density, and which metric goes with the accuracy drop."""

from collections.abc import Mapping

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from pruneexp.errors import UserError
from pruneexp.reports.figures.drawing import COLOURS, MARKERS, panels, styled
from pruneexp.studies.prediction.importance import correlations
from pruneexp.studies.prediction.pool import MODELS, RIVALS

LABELS = {
    "layer_density": "layer density",
    "difference_of_bound": "difference of bound",
    "imdb": "IMDB",
    "imsg": "IMSG",
}
CATEGORIES = {
    "local": ["sink", "source", "disconnected", "r_out", "r_in"],
    "neighbours": ["n1", "n2", "motif4"],
    "strength": ["k_core", "strength"],
    "global": ["components", "mean_component", "cut_edges", "cut_nodes"],
    "expansion": ["spectral_gap", "spectral_radius"],
}


@styled
def layers_figure(layers: pd.DataFrame, shown: Mapping[str, float]) -> Figure:
    """Figure 2: each metric over the layers, divided by its summed size, a panel for each model (`shown`: its sparsity) and method.

    Args:
        layers: columns model, method, sparsity, layer and `RIVALS`, seeds averaged, one data set.
    """
    methods = sorted(layers["method"].unique())
    figure, axes = panels(len(shown), len(methods), (2.5, 2.4), sharey="row")
    for row, (model, sparsity) in zip(axes, shown.items(), strict=True):
        for axis, method in zip(row, methods, strict=True):
            part = layers[(layers["model"] == model) & (layers["sparsity"] == sparsity) & (layers["method"] == method)]
            for k, name in enumerate(RIVALS):
                line = part.sort_values("layer")[name].reset_index(drop=True).dropna()
                axis.plot(
                    line.index,
                    line / line.abs().sum(),
                    color=COLOURS[k],
                    marker=MARKERS[k],
                    markersize=2.5,
                    linewidth=2.4 if k == 0 else 1,
                    alpha=0.9,
                    label=LABELS[name],
                )
            axis.set_title(f"{MODELS[model]}, s = {sparsity:g}, {method}", fontsize=8)
            axis.axhline(0, color="grey", linewidth=0.6)
            axis.set_xlabel("layer")
            axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            axis.grid(alpha=0.25)
        row[0].set_ylabel("share of the sum of sizes")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=len(RIVALS), frameon=False)
    figure.suptitle("Ramanujan metrics and layer density of every layer, CIFAR-10")
    return figure


@styled
def importance_figure(found: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """Figures 3 and 4: correlation of every metric (columns) with the drop for every group (rows); one panel a way to take it."""
    height = 0.9 + 0.42 * max(len(table) for table in found.values())
    figure, axes = panels(len(found), 1, (9.5, height))
    order = [name for names in CATEGORIES.values() for name in names]
    for axis, (how, table) in zip(axes[:, 0], found.items(), strict=True):
        values = table[order].to_numpy()
        image = heat(axis, values, [str(MODELS.get(str(name), name)) for name in table.index], order)
        for edge in np.cumsum([len(names) for names in CATEGORIES.values()])[:-1]:
            axis.axvline(edge - 0.5, color="white", linewidth=4)
        axis.set_title(f"importance = {how}", loc="left", fontsize=9)
    ends = np.cumsum([len(names) for names in CATEGORIES.values()])
    for name, names, end in zip(CATEGORIES, CATEGORIES.values(), ends, strict=True):
        axes[0][0].annotate(
            name,
            (end - len(names) / 2 - 0.5, 1.01),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="bottom",
            fontsize=8,
            color="grey",
            annotation_clip=False,
        )
        axes[0][0].set_title("importance = " + next(iter(found)), loc="left", fontsize=9, pad=14)
    figure.colorbar(image, ax=axes, label="Pearson's r with the drop", shrink=0.8)
    figure.suptitle(title)
    return figure


@styled
def density_figure(layers: pd.DataFrame) -> Figure:
    """Figure 5: over the layers, Pearson's r of each Ramanujan metric with the layer density; empty below five defined layers."""
    methods, sparsities = sorted(layers["method"].unique()), sorted(layers["sparsity"].unique())
    models = [name for name in MODELS if name in set(layers["model"])]
    if not models:
        raise UserError("no layers of a known model to draw.")
    figure, axes = panels(len(RIVALS) - 1, len(models), (3.1, 2.5))
    for row, name in zip(axes, RIVALS[1:], strict=True):
        for axis, model in zip(row, models, strict=True):
            values = np.full((len(methods), len(sparsities)), np.nan)
            for (method, sparsity), part in layers[layers["model"] == model].groupby(["method", "sparsity"]):
                part = part.dropna(subset=[name])
                if len(part) >= 5:
                    r = correlations(part[[name]].to_numpy(), part["layer_density"].to_numpy())
                    values[methods.index(method), sparsities.index(sparsity)] = r[0]
            image = heat(axis, values, methods, [f"{s:g}" for s in sparsities], rotation=0)
            axis.set_title(f"{LABELS[name]}, {MODELS[model]}", fontsize=9)
    figure.colorbar(image, ax=axes, label="Pearson's r with layer density", shrink=0.6)
    figure.suptitle(
        "Ramanujan metrics against layer density over the layers, CIFAR-10 (uniform: density hardly varies)"
    )
    return figure


def heat(axis: Axes, values: np.ndarray, rows: list[str], columns: list[str], rotation: float = 40) -> AxesImage:
    """values [rows, columns] in -1 ... 1 as colours with the numbers in them."""
    colours = matplotlib.colormaps["RdBu_r"].with_extremes(bad="#eeeeee")
    image = axis.imshow(values, cmap=colours, vmin=-1, vmax=1, aspect="auto")
    axis.set_yticks(range(len(rows)), rows)
    axis.set_xticks(range(len(columns)), columns, rotation=rotation, ha="right" if rotation else "center")
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            shade = "white" if abs(value) > 0.6 else "black"
            axis.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=7, color=shade)
    return image
