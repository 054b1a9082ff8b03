"""Counts of the paper's masks by hand, and the table of a few."""

from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch

from pruneexp.models.vgg import vgg_base
from pruneexp.studies.ramanujan import densities


def test_an_lps_graph_keeps_p_plus_1_weights_a_neuron() -> None:
    row = densities.table4(5)
    assert row["kept"] == 6 * 2448
    assert row["of the 4096 network"] == pytest.approx(100 * 6 * 2448 / 4096**2)
    assert row["of its own network"] == pytest.approx(100 * 6 / 2448)


def test_an_array_code_keeps_q_squared_l_weights() -> None:
    of = {"small": torch.Size((64, 3, 3, 3)), "code": torch.Size((64, 64, 3, 3)), "last": torch.Size((10, 64))}
    # q = 7, the largest prime with q^2 <= 64; l = floor(64 * 9 / 7) = 82
    assert densities.kept(of) == {"small": 64 * 27, "code": 7 * 7 * 82, "last": 640}


def test_the_table_says_what_was_counted_and_what_was_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(densities, "PRINTED4", {5: 0.08})
    monkeypatch.setattr(densities, "NETWORKS", {"vgg16": partial(vgg_base, *densities.INPUT, 16)})
    densities.main(["--report-dir", str(tmp_path)])
    table = pd.read_csv(tmp_path / "tables" / "ramanujan_densities.csv")
    assert list(table["network"]) == ["square layer, p = 5", "vgg16"]
    assert list(table["printed"]) == [0.08, 1.7]
    assert table["of the 4096 network"][1] == pytest.approx(1.7, abs=0.1)
    text = (tmp_path / "tables" / "ramanujan_densities.md").read_text()
    assert text.startswith("<!-- made by: python -m pruneexp.studies.ramanujan.densities; commit ")
    assert densities.LEGEND in text
