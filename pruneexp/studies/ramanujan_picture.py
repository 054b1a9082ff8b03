"""A picture of four Ramanujan graphs: a dot for each edge of the biadjacency matrix.

    python -m pruneexp.studies.ramanujan_picture

Writes results/figures/ramanujan_graphs.{png,svg}.
"""

from pathlib import Path

from pruneexp.graphs.ramanujan import array_code, biregular, galois_array_code, lps
from pruneexp.reports.figures.drawing import COLOURS, panels, save

OUT = Path("results") / "figures"


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    graphs = [lps(5, 7), array_code(7, 12), galois_array_code(8, 16, 8), biregular(60, 100, degree=10)]
    figure, axes = panels(1, len(graphs), (3.2, 3.4))
    for axis, graph in zip(axes[0], graphs, strict=True):
        rows, columns = graph.biadjacency.shape
        axis.spy(graph.biadjacency, markersize=110 / max(rows, columns), color=COLOURS[0], aspect="auto")
        kind = graph.name.split("(")[0].replace("_", " ")
        axis.set_title(f"{kind}, {rows} x {columns}\n$\\sigma_2$ = {graph.sigma2:.3f} <= {graph.bound:.3f}", fontsize=9)
        axis.set_xticks([])
        axis.set_yticks([])
    for path in save(figure, OUT / "ramanujan_graphs", "python -m pruneexp.studies.ramanujan_picture"):
        print(path)


if __name__ == "__main__":
    main()
