"""The picture's panels show the graphs that they name."""

from pathlib import Path

import numpy as np
import pytest

from pruneexp.studies.ramanujan import picture


def test_every_edge_is_a_dot_and_every_panel_names_its_graph(tmp_path: Path) -> None:
    graphs = picture.graphs()
    axes = picture.picture(graphs).axes
    assert len(axes) == 4
    # X^{5,7}: 7 (49 - 1) / 2 vertices a side of degree 6, bound 2 sqrt(5)
    assert axes[0].get_title() == f"lps, 168 x 168\n$\\sigma_2$ = {graphs[0].sigma2:.3f} <= 4.472"
    assert np.size(axes[0].lines[0].get_xdata()) == 168 * 6
    for axis, graph in zip(axes, graphs, strict=True):
        assert graph.sigma2 <= graph.bound
        assert np.size(axis.lines[0].get_xdata()) == graph.biadjacency.nnz
    picture.main(["--report-dir", str(tmp_path)])
    assert (tmp_path / "figures" / "ramanujan_graphs.png").stat().st_size > 10_000
    figure = (tmp_path / "figures" / "ramanujan_graphs.svg").read_text()
    assert "python -m pruneexp.studies.ramanujan.picture; commit " in figure
    assert "galois array code" in figure


def test_panels_are_those_asked_for() -> None:
    one = picture.graphs()[1:2]
    (axis,) = picture.picture(one).axes
    assert axis.get_title().startswith("array code, 49 x 84")
    assert one[0].bound == pytest.approx(11**0.5 + 6**0.5)  # degrees 12 and 7
