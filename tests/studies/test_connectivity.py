"""The figures of the table of connectivity, counted by hand."""

import json
import math
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn

from pruneexp.errors import UserError
from pruneexp.network.wiring import wiring_of
from pruneexp.studies import connectivity


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))


def test_a_dense_network_is_whole() -> None:
    model = network()
    masks = {"0.weight": torch.ones(4, 3, dtype=torch.bool), "2.weight": torch.ones(2, 4, dtype=torch.bool)}
    figures = connectivity.measure(masks, wiring_of(model))
    assert figures == {
        "pieces": 0,
        "collapsed": 0,
        "dead_filters": 0,
        "dead_channels": 0,
        "effective": pytest.approx(100),
        "lambda2_min": pytest.approx(1),
    }


def test_what_a_broken_network_has_lost() -> None:
    model = network()
    first = torch.zeros(4, 3, dtype=torch.bool)
    first[0, 0] = first[1, 0] = first[1, 1] = first[2, 2] = True  # a path of three edges, and one edge; output 3 dead
    second = torch.zeros(2, 4, dtype=torch.bool)
    second[0, 0] = second[0, 3] = True  # a star; its second edge comes from the dead channel; output 1 dead
    figures = connectivity.measure({"0.weight": first, "2.weight": second}, wiring_of(model))
    assert figures["pieces"] == 1
    assert figures["collapsed"] == 1
    assert figures["dead_filters"] == 2
    assert figures["dead_channels"] == 4  # hidden 1, 2 and 3, output 1
    assert figures["effective"] == pytest.approx(100 * 2 / 20)
    # the path of four vertices: normalised Laplacian's eigenvalues 0, 1/2, 3/2, 2
    assert figures["lambda2_min"] == pytest.approx(0.5)
    nothing = {"0.weight": torch.zeros(4, 3, dtype=torch.bool), "2.weight": second}
    assert math.isnan(connectivity.measure(nothing, wiring_of(model))["lambda2_min"])


def test_every_method_spends_the_same_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    def small() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(8, 10))

    monkeypatch.setattr(connectivity, "NETWORKS", {"resnet20": small})
    monkeypatch.setattr(connectivity, "DENSITIES", {"resnet20": (0.4, 0.02)})
    rows = connectivity.rows_of("resnet20", 0)
    assert [row["method"] for row in rows if row["density"] == 0.4] == [*connectivity.METHODS, "bss"]
    assert [row["method"] for row in rows if row["density"] == 0.02] == list(connectivity.METHODS)  # too few for bss
    assert all(row["effective"] <= 100 * row["density"] + 0.1 for row in rows)  # type: ignore[operator]
    repaired = {row["density"]: row["effective"] for row in rows if row["method"] == "sparsify + repair"}
    plain = {row["density"]: row["effective"] for row in rows if row["method"] == "sparsify"}
    assert all(repaired[density] >= plain[density] for density in plain)  # type: ignore[operator]


def test_each_row_of_the_table_has_its_own_spread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def made(name: str, seed: int) -> list[dict[str, object]]:
        return [
            {"network": name, "density": density, "method": method, "seed": seed}
            | dict.fromkeys(connectivity.SHOWN, base + width * seed)
            for density, method, base, width in ((0.1, "z", 10.0, 1.0), (0.1, "a", 20.0, 0.0), (0.05, "z", 30.0, 4.0))
        ]

    monkeypatch.setattr(connectivity, "rows_of", made)
    connectivity.main(["--networks", "vgg16", "--seeds", "3", "--report-dir", str(tmp_path)])
    shown = [line.split("|") for line in capsys.readouterr().out.splitlines()[2:5]]
    assert [row[5].strip() for row in shown] == ["11.0 ± 1.0", "20.0 ± 0.0", "34.0 ± 4.0"]
    assert [row[4].strip() for row in shown] == ["3", "3", "3"]
    text = (tmp_path / "tables" / "connectivity.csv").read_text()
    told = json.loads((tmp_path / "tables" / "connectivity.json").read_text())
    assert told["command"] == "python -m pruneexp.studies.connectivity --networks vgg16 --seeds 3"
    assert "pieces_spread" in text
    text = (tmp_path / "tables" / "connectivity.md").read_text()
    assert "± 4.0" in text
    assert "`dead_filters` (outputs without a weight)" in text


def test_a_small_run_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connectivity, "NETWORKS", {"small": network})
    monkeypatch.setattr(connectivity, "DENSITIES", {"small": (0.5,)})
    connectivity.main(["--seeds", "2", "--report-dir", str(tmp_path)])
    table = pd.read_csv(tmp_path / "tables" / "connectivity.csv")
    assert list(table["method"]) == list(connectivity.METHODS)
    assert (table["n"] == 2).all()
    assert (table["effective"] <= 100 * 10 / 20).all()  # ten of the twenty weights
    with pytest.raises(UserError, match="seeds must be a whole number, at least 1"):
        connectivity.main(["--seeds", "0"])
