"""A picture of four Ramanujan graphs: a dot for each edge of the biadjacency matrix.

    python -m pruneexp.studies.ramanujan.picture [--report-dir results]

Writes figures/ramanujan_graphs.{png,svg}.
"""

from collections.abc import Sequence

from matplotlib.figure import Figure

from pruneexp.graphs.ramanujan import RamanujanGraph, array_code, biregular, galois_array_code, lps
from pruneexp.reports.figures.drawing import COLOURS, panels, styled
from pruneexp.studies import report


def graphs() -> list[RamanujanGraph]:
    """One of each construction."""
    return [lps(5, 7), array_code(7, 12), galois_array_code(8, 16, 8), biregular(60, 100, degree=10)]


@styled
def picture(drawn: Sequence[RamanujanGraph]) -> Figure:
    """A panel a graph, with its second singular value beside the bound."""
    figure, axes = panels(1, len(drawn), (3.2, 3.4))
    for axis, graph in zip(axes[0], drawn, strict=True):
        rows, columns = graph.biadjacency.shape
        axis.spy(graph.biadjacency, markersize=110 / max(rows, columns), color=COLOURS[0], aspect="auto")
        kind = graph.name.split("(")[0].replace("_", " ")
        axis.set_title(f"{kind}, {rows} x {columns}\n$\\sigma_2$ = {graph.sigma2:.3f} <= {graph.bound:.3f}", fontsize=9)
        axis.set_xticks([])
        axis.set_yticks([])
    return figure


def main(arguments: Sequence[str] | None = None) -> None:
    options = report.parser(__doc__).parse_args(arguments)
    made = report.made_by("ramanujan.picture", arguments)
    report.write_figure(options.report_dir, "ramanujan_graphs", picture(graphs()), made)


if __name__ == "__main__":
    report.run(main)
