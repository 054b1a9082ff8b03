"""Which shapes are asked for, and what is said of the graphs found for them."""

import json
from pathlib import Path

import pandas as pd
import pytest
from torch import nn

from pruneexp.errors import UserError
from pruneexp.studies.ramanujan import shapes


def small() -> nn.Module:
    """Two convolutions of one shape, and a layer that is none."""
    return nn.Sequential(nn.Conv2d(16, 16, 3), nn.Conv2d(16, 16, 3), nn.Flatten(), nn.Linear(16, 10))


def test_a_small_run_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "NETWORKS", {"small": small})
    shapes.main(["--random", "1", "--report-dir", str(tmp_path)])
    path = tmp_path / "tables" / "ramanujan_shapes.csv"
    command = "python -m pruneexp.studies.ramanujan.shapes --random 1; commit "
    assert json.loads(path.with_suffix(".json").read_text())["command"] == command.removesuffix("; commit ")
    table = pd.read_csv(path)
    of_small = table[table["from"] == "small"]
    assert set(zip(of_small["rows"], of_small["columns"], strict=True)) == {(16, 144)}
    # 16 x 144 at 5 %, 10 %, two edges a column, 30 %
    assert list(of_small["edges"]) == [115, 230, 288, 691]
    assert list(of_small["found"]) == ["infeasible", "infeasible", "certified", "certified"]
    found = table[table["found"] != "infeasible"]
    edges = (found["reached"] * found["rows"] * found["columns"]).to_numpy()
    assert edges == pytest.approx(found["edges"].to_numpy(), rel=1e-5)  # six digits are written
    assert (found.loc[found["found"] == "certified", "ratio"] <= 1).all()
    assert table["from"].value_counts()["random"] == 4
    text = (tmp_path / "tables" / "ramanujan_shapes.md").read_text()
    assert text.startswith(f"<!-- made by: {command}")
    assert [line.split("|")[3].strip() for line in text.splitlines()[3:5]] == ["2", "2"]  # certified, infeasible


def test_what_is_not_certified_is_named() -> None:
    row = {"from": "VGG-16", "rows": 3, "columns": 5, "asked": 1, "edges": 15, "found": "certified", "ratio": 0.5}
    row |= {"dead_filters": 0, "seconds": 1.0}
    failed = row | {"rows": 7, "columns": 11, "found": "not certified", "ratio": 1.25}
    text = shapes.readable(pd.DataFrame([row, failed]))
    (last,) = text.split("best graph found:\n\n")[1].splitlines()[2:]
    assert [cell.strip() for cell in last.split("|")[1:-1]] == ["7", "11", "15", "1", "1.25"]


def test_the_published_networks_shapes_and_as_many_random_ones() -> None:
    found = shapes.shapes(3)
    assert found[0] == ("VGG-16", 64, 27)
    assert ("ResNet-18", 128, 64) in found  # a shortcut
    assert len(set(found)) == len(found)
    assert [name for name, _, _ in found].count("random") == 3
    with pytest.raises(UserError, match="random must be a whole number"):
        shapes.shapes(-1)
