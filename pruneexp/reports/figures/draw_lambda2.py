"""The figures of lambda_2 against density."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pruneexp.reports.figures.canvas import TEXT_WIDTH, Canvas
from pruneexp.reports.figures.entries import Entry
from pruneexp.reports.figures.layers import collapsed_handles, colourbar, draw_layer, lambda2_axes, short_names
from pruneexp.reports.figures.legend import line_handles, mark_handles, seed_handles
from pruneexp.reports.figures.lines import draw_lines
from pruneexp.reports.figures.marks import drawn_values, few_seeds, reference
from pruneexp.reports.figures.names import literal
from pruneexp.reports.figures.panels import NETWORK
from pruneexp.reports.figures.plan import PER_ROW, Plan
from pruneexp.reports.figures.scales import accuracy_axis, accuracy_limits, density_axis
from pruneexp.reports.figures.sheet import ACCURACY

SUBJECT = [*NETWORK, "scorer"]
SMALL_PER_ROW, SMALL_HEIGHT, HEIGHT = 5, 1.25, 3.0  # small multiples, and inches of a panel
LAMBDA2 = "$\\lambda_2$, largest component"


def draw_beside(plan: Plan, layers: pd.DataFrame, title: str, width: float | None = None) -> Figure:
    """Accuracy of one network and scorer, and for each method a panel of all its layers; `layers` are those of `plan`."""
    methods = list(plan.entries.within(layers))
    columns = min(1 + len(methods), PER_ROW)
    grid = [range(columns)] * -(-(1 + len(methods)) // columns)
    canvas = Canvas(grid, width, HEIGHT if len(grid) == 1 else None)
    left, *others = canvas.axes.flat
    with canvas.styled():
        _draw_accuracy(left, plan)
        colours = colourbar(canvas, short_names(list(layers["layer"].unique())))
        for axis, (entry, rows) in zip(others, methods, strict=False):
            for layer, line in rows.groupby("layer", sort=False):
                draw_layer(axis, line, Entry("", colours[str(layer)], entry.marker, "-"))
            axis.set_title(entry.name)
        for axis in others[len(methods) :]:
            axis.set_axis_off()
        lambda2_axes(others, layers)
        others[0].set_ylabel(LAMBDA2)
        for axis in others[1 : PER_ROW - 1]:
            axis.tick_params(labelleft=False)
    handles = [*line_handles(plan), *mark_handles(plan), *seed_handles(plan)]
    return canvas.finish(title, _about(plan), [*handles, *collapsed_handles(layers)])


def draw_layers(plan: Plan, layers: pd.DataFrame, title: str, width: float | None = None) -> Figure:
    """A panel for each layer; the arguments are those of `draw_beside`."""
    names = short_names(list(layers["layer"].unique()))
    columns = min(len(names), SMALL_PER_ROW)
    grid = [range(columns)] * -(-len(names) // columns)
    canvas = Canvas(grid, width or TEXT_WIDTH, SMALL_HEIGHT)
    axes = list(canvas.axes.flat)
    with canvas.styled():
        for axis, (layer, name) in zip(axes, names.items(), strict=False):
            for entry, line in plan.entries.within(layers[layers["layer"] == layer]):
                draw_layer(axis, line, entry)
            axis.set_title(literal(name))
        lambda2_axes(axes, layers)
        for k, axis in enumerate(axes):
            axis.tick_params(labelleft=k % columns == 0, labelbottom=k + columns >= len(names))
            axis.set(ylabel="$\\lambda_2$" if k % columns == 0 else "")
            if k < len(axes) - columns:  # of the last row alone: the others have it in common
                axis.set_xlabel("")
        for axis in axes[len(names) :]:
            axis.set_axis_off()
    return canvas.finish(
        title, [*_about(plan), "a panel for each layer"], [*line_handles(plan), *collapsed_handles(layers)]
    )


def _draw_accuracy(axis: Axes, plan: Plan) -> None:
    (panel,) = plan.panels
    reference(axis, "y", panel.dense)
    density_axis(axis, panel.rows)
    draw_lines(axis, panel, plan.entries, "density")
    values = drawn_values(panel, few_seeds(panel.rows, panel.cells))
    accuracy_axis(axis, "y", accuracy_limits(values, "linear"), "linear")
    axis.set_ylabel(ACCURACY)


def _about(plan: Plan) -> list[str]:
    return [plan.panels[0].heading, *plan.once()]
