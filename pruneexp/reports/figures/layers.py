"""lambda_2 of layers as lines against density."""

from collections import Counter
from collections.abc import Sequence

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, to_hex
from matplotlib.lines import Line2D

from pruneexp.reports.figures.canvas import Canvas
from pruneexp.reports.figures.entries import Entry
from pruneexp.reports.figures.scales import span_axis

BAR = 0.85  # height of the bar of layers, as a share of the panels'


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Names of layers without the first and the last word that most of them share, as long as no two become the same.

    >>> short_names(["layers.0.conv", "layers.2.conv", "fc"])
    {'layers.0.conv': '0', 'layers.2.conv': '2', 'fc': 'fc'}
    """
    words = {name: name.split(".") for name in names}
    for end, rest in ((0, slice(1, None)), (-1, slice(None, -1))):
        found = Counter(one[end] for one in words.values() if len(one) > 1).most_common(1)
        for word, count in found:
            shorter = {name: one[rest] if len(one) > 1 and one[end] == word else one for name, one in words.items()}
            if 2 * count > len(names) and len({".".join(one) for one in shorter.values()}) == len(names):
                words = shorter
    return {name: ".".join(one) for name, one in words.items()}


def draw_layer(axis: Axes, rows: pd.DataFrame, look: Entry) -> None:
    """One layer under one method; a cross at zero where it has collapsed in every seed (see `layer_table`)."""
    line = rows.sort_values("asked_density")
    known = line.dropna(subset=["lambda2"])
    axis.plot(known["asked_density"], known["lambda2"], **look.style(markersize=3, linewidth=1.1))
    collapsed = line.loc[_is_collapsed(line), "asked_density"]
    if len(collapsed):
        axis.plot(collapsed, 0 * collapsed, **look.style(marker="x", markersize=6, linestyle=""), clip_on=False)


def collapsed_handles(layers: pd.DataFrame) -> list[Line2D]:
    """What a cross says, if there is any."""
    cross = Line2D([], [], color="black", linestyle="", marker="x", markersize=6, label="collapsed")
    return [cross] if _is_collapsed(layers).any() else []


def _is_collapsed(layers: pd.DataFrame) -> pd.Series:
    """Of which rows the layer has collapsed in every seed."""
    return layers["collapsed"] == layers["n"]


def lambda2_axes(axes: Sequence[Axes], layers: pd.DataFrame) -> None:
    """Axes of density, and of lambda_2 from 0 to the largest."""
    largest = layers["lambda2"].max()
    for axis in axes:
        span_axis(axis, layers["asked_density"], "weights kept (%)", 0.01, ticks=layers["asked_density"])
        axis.set_ylim(0, 1.05 * largest if largest > 0 else 1)


def colourbar(canvas: Canvas, names: dict[str, str]) -> dict[str, str]:
    """Draw which colour is which layer, from the first at the top; the colours by layer."""
    colours = matplotlib.colormaps["viridis"].resampled(len(names))
    scale = ScalarMappable(BoundaryNorm([k - 0.5 for k in range(len(names) + 1)], len(names)), colours)
    room = -(-len(names) * 1.3 * canvas.small // (72 * canvas.height * BAR))
    ticks = range(0, len(names), int(room))
    bar = canvas.figure.colorbar(scale, ax=list(canvas.axes.flat), ticks=list(ticks), shrink=BAR, aspect=30)
    bar.ax.set_yticklabels([list(names.values())[k] for k in ticks])
    bar.ax.tick_params(labelsize=canvas.small, length=0)
    bar.ax.invert_yaxis()
    bar.ax.minorticks_off()
    bar.ax.set_title("layer")
    bar.outline.set_visible(False)
    return {name: to_hex(colours(k)) for k, name in enumerate(names)}
