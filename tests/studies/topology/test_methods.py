"""The table of every method's masks, on a small network."""

import json
from pathlib import Path

import pandas as pd
import pytest

from pruneexp.errors import UserError
from pruneexp.studies.topology import methods


def test_a_small_run_from_end_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pruneexp.models.vgg.SMALL", [4, "M", 4])
    chosen = [
        ("magnitude", "greedy_global"),
        ("snip", "greedy_global"),
        ("magnitude", "erk"),
        ("magnitude", "ramanujan"),
    ]
    monkeypatch.setattr(methods, "METHODS", chosen)
    asked = ["--model", "vgg_small", "--dataset", "digits", "--density", "0.1", "--without", "snip"]
    methods.main([*asked, "--data-dir", str(tmp_path / "data"), "--report-dir", str(tmp_path)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "tables"]
    path = tmp_path / "tables" / "topology_methods-vgg_small-0.1.csv"
    command = f"python -m pruneexp.studies.topology.methods {' '.join(asked)}; commit "
    assert json.loads(path.with_suffix(".json").read_text())["command"] == command.removesuffix("; commit ")
    table = pd.read_csv(path).set_index("masker")
    assert list(table.index) == ["dense", "greedy_global", "erk"]
    assert list(table["scorer"]) == ["dense", "magnitude", "none"]
    assert table["sink"]["dense"] == 0
    assert table["sink"]["greedy_global"] > 0
    assert (table["layer_density"].iloc[1:] < 1).all()
    text = (tmp_path / "tables" / "topology_methods-vgg_small-0.1.md").read_text()
    assert text.startswith(f"<!-- made by: {command}")
    refused = text.split("\n\n")[-1]
    assert refused.startswith("ramanujan: ramanujan")
    assert refused.strip() in capsys.readouterr().out


def test_a_model_that_there_is_not() -> None:
    with pytest.raises(UserError, match="resnet21"):
        methods.compared("resnet21", "digits", 0.1, Path("data"))
