"""The figure of accuracy against density."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pruneexp.reports.figures.canvas import Canvas
from pruneexp.reports.figures.categories import draw_categories, list_height
from pruneexp.reports.figures.choices import Scale, SpanScale
from pruneexp.reports.figures.legend import line_handles, mark_handles, seed_handles
from pruneexp.reports.figures.lines import draw_lines
from pruneexp.reports.figures.marks import drawn_values, few_seeds, reference, several_seeds
from pruneexp.reports.figures.panels import Panel, kept
from pruneexp.reports.figures.plan import Plan
from pruneexp.reports.figures.scales import Along, density_axis
from pruneexp.reports.figures.sheet import Drawn, place_panels


def draw_accuracy(
    plan: Plan, title: str, width: float | None = None, x: SpanScale = "log", y: Scale = "linear"
) -> Figure:
    """The figure itself; the arguments are those of `pruneexp.reports.figures.accuracy.accuracy_figure`."""
    names, one_density = plan.counted_names(), kept(plan.shown)
    listed = all(
        kept(panel.rows) for panel in plan.panels
    )  # else a panel of one density stands beside others that have lines
    canvas = Canvas(plan.grid, width, list_height(names) if listed else None)

    def draw(axis: Axes, panel: Panel) -> Drawn:
        along: Along = "x" if listed else "y"
        reference(axis, along, panel.dense)
        if listed:
            draw_categories(axis, panel, plan.entries, names)
            axis.set_title(", ".join(filter(None, (panel.heading, "" if one_density else kept(panel.rows)))))
        else:
            density_axis(axis, plan.shown, x)
            draw_lines(axis, panel, plan.entries, "density")
        return along, drawn_values(panel, (several_seeds if listed else few_seeds)(panel.rows, panel.cells))

    place_panels(canvas, plan.grid, draw, y, shared=True)
    handles = [*([] if listed else line_handles(plan)), *mark_handles(plan), *seed_handles(plan, listed)]
    return canvas.finish(title, plan.once(), handles, beside=len(plan.panels) == 1)
