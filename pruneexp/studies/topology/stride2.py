"""The stride-2 difference between mode=correct and mode=published, drawn.

    python -m pruneexp.studies.topology.stride2 [--report-dir results]

One channel of 8x8 and a 3x3 convolution of stride 2 and padding 1 of which only the centre is kept: its sixteen edges as the network
computes them, and as the authors' program numbered them. Writes figures/topology_stride2.{png,svg}.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import nn

from pruneexp.studies import report
from pruneexp.topology.edges import listed
from pruneexp.topology.published import encode_published
from pruneexp.topology.tracing import encode

SIDE = 8
RIGHT = SIDE + 4  # where the target's grid begins


def network() -> nn.Sequential:
    """A stem that passes its input on, then the convolution of stride 2."""
    layers = nn.Conv2d(1, 1, 1, bias=False), nn.Conv2d(1, 1, 3, stride=2, padding=1, bias=False)
    for layer in layers:
        nn.init.dirac_(layer.weight)
    return nn.Sequential(*layers)


def place(nodes: np.ndarray) -> np.ndarray:
    """[n, 2]: where a node of the source (the first SIDE^2) or the target is drawn."""
    inside = nodes < SIDE**2
    target = nodes - SIDE**2
    x = np.where(inside, nodes % SIDE, RIGHT + 2 * (target % (SIDE // 2)))
    y = np.where(inside, nodes // SIDE, 2 * (target // (SIDE // 2)))
    return np.column_stack([x, -y])


def draw(axes: Axes, source: np.ndarray, target: np.ndarray, title: str) -> None:
    """The second layer's edges; those that do not end in the target's partition are red."""
    nodes = place(np.arange(SIDE**2 + (SIDE // 2) ** 2))
    axes.scatter(nodes[:, 0], nodes[:, 1], s=12, color="0.75", zorder=1)
    for begin, end, lost in zip(place(source), place(target), target < SIDE**2, strict=True):
        colour = "#d55e00" if lost else "#0072b2"
        axes.annotate("", end, begin, arrowprops={"arrowstyle": "->", "color": colour, "alpha": 0.8, "linewidth": 1.1})
    axes.set_title(title)
    axes.set_aspect("equal")
    axes.axis("off")


def stride2() -> Figure:
    """Both encodings of `network`, side by side."""
    model = network()
    correct = listed(encode(model, (1, SIDE, SIDE)))
    published = encode_published(model, (1, SIDE, SIDE), None)
    figure = Figure(figsize=(11, 3))
    panels = figure.subplots(1, 2)
    for axes, (source, target), title in (
        (panels[0], correct[:2], "as the network computes"),
        (panels[1], (published.source, published.target), "as published"),
    ):
        second = source >= SIDE**2  # behind the stem's partition
        draw(axes, source[second] - SIDE**2, target[second] - SIDE**2, title)
    figure.tight_layout()
    return figure


def main(arguments: Sequence[str] | None = None) -> None:
    options = report.parser(__doc__).parse_args(arguments)
    report.write_figure(
        options.report_dir, "topology_stride2", stride2(), report.made_by("topology.stride2", arguments)
    )


if __name__ == "__main__":
    report.run(main)
