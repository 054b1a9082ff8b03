"""Figures 2 to 5 show the numbers that they are drawn from."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pruneexp.errors import UserError
from pruneexp.studies.prediction.figures import CATEGORIES
from pruneexp.studies.prediction.importance import importances
from pruneexp.studies.prediction.pool import load_pool
from pruneexp.studies.topology import figures2_to_5 as figures
from pruneexp.system.shipped import published_dir


def test_the_colours_are_the_correlations(pool: Path) -> None:
    frame = load_pool(pool)
    drawn = figures.of_networks("fig4", frame).axes[1].images[0].get_array()
    order = [name for names in CATEGORIES.values() for name in names]
    assert np.allclose(np.asarray(drawn), importances(frame, "model", "drop")[order])
    by_sparsity = figures.of_networks("fig3", frame).axes[0]
    assert [label.get_text() for label in by_sparsity.get_yticklabels()] == ["0.6", "0.8", "0.9", "0.95", "0.98"]


def test_a_line_is_the_share_of_every_layer() -> None:
    layers = pd.read_csv(published_dir() / "mge_pool_layers.csv.gz")
    (axis,) = [axis for axis in figures.of_layers("fig2", layers).axes if axis.get_title() == "Conv-6, s = 0.9, erk"]
    erk = layers[(layers["model"] == "conv6") & (layers["method"] == "erk") & (layers["sparsity"] == 0.9)]
    density = erk.sort_values("layer")["layer_density"].to_numpy()
    assert np.allclose(axis.lines[0].get_ydata(), density / density.sum())


def test_what_is_asked_for_is_written(tmp_path: Path, pool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layers = pd.read_csv(published_dir() / "mge_pool_layers.csv.gz")
    few = layers[layers["model"].isin(figures.SHOWN) & layers["method"].isin(("erk", "snip"))]
    few.to_csv(tmp_path / "mge_pool_layers.csv.gz", index=False)
    monkeypatch.setattr(figures, "published_dir", lambda: tmp_path)
    figures.main(["fig2", "fig5", "fig4", "--pool", str(pool), "--report-dir", str(tmp_path)])
    found = {path.name: path for path in (tmp_path / "figures").iterdir()}
    assert sorted(found) == [
        f"topology_{name}.{kind}" for name in ("fig2", "fig4", "fig5") for kind in ("pdf", "png", "svg")
    ]
    text = found["topology_fig4.svg"].read_text()
    assert "python -m pruneexp.studies.topology.figures2_to_5 fig2 fig5 fig4 --pool " in text
    assert "What goes with the accuracy drop, by network" in text
    assert "Pearson's r with layer density" in found["topology_fig5.svg"].read_text()


def test_records_leave_the_pools_figures_as_they_are(tmp_path: Path, records: Path) -> None:
    figures.main(["--records", str(records), "--report-dir", str(tmp_path)])
    names = [path.name for path in sorted((tmp_path / "figures").glob("*.svg"))]
    assert names == ["topology_fig3-ours.svg", "topology_fig4-ours.svg"]
    with pytest.raises(UserError, match="fig5 is drawn from the published pool's layers only"):
        figures.main(["fig5", "--records", str(records)])


def test_a_figure_that_there_is_not() -> None:
    with pytest.raises(UserError, match="there is no figure 'fig9'; available: fig2, fig3, fig4, fig5"):
        figures.main(["fig9"])
