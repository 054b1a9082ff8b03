"""The graph's metrics in records: measured with a cell or later, no part of its key, a column each."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pruneexp.topology import METRICS
from tests.command import SMALL, Outcome, in_process
from tests.test_structured_cells import MODEL

Command = Callable[..., Outcome]
FEW = (*SMALL, "seed=0", "scorer=magnitude", *MODEL, "masker=greedy", "densities=[0.2]")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return lambda *arguments: in_process(tmp_path, monkeypatch, capsys, *arguments)


def the_record(tmp_path: Path) -> dict[str, object]:
    (path,) = (tmp_path / "results" / "runs").glob("*/record.json")
    record: dict[str, object] = json.loads(path.read_text())
    return record


def without(record: dict[str, object]) -> dict[str, object]:
    return {
        name: value
        for name, value in record.items()
        if name not in ("digest", "measurements") and not name.startswith("topology")
    }


def test_a_finished_cell_is_measured_later_and_not_trained_again(tmp_path: Path, run: Command) -> None:
    assert run(*FEW).code == 0
    first = without(the_record(tmp_path))
    assert {*first, "digest"} == the_record(tmp_path).keys()
    for kind, some in (("ramanujan", {"imsg", "layer_density"}), ("full", {*METRICS, "motif4_norm", "imsg"})):
        ran = run(*FEW, f"topology={kind}")
        assert ran.code == 0, ran.err
        assert "measured" in ran.out
        record = the_record(tmp_path)
        assert without(record) == first
        assert some <= record["topology"].keys()  # type: ignore[attr-defined]
        assert len(record["topology_layers"]) == len(first["layers"])  # type: ignore[arg-type]
    table = pd.read_csv(next((tmp_path / "results" / "runs" / "reports" / "tables").glob("*.csv")))
    for name in METRICS:
        assert table[f"topology/{name}"].tolist() == pytest.approx([record["topology"][name]], rel=1e-5)  # type: ignore[index]
    again = run(*FEW, "topology=full")
    assert "measured" not in again.out
    assert the_record(tmp_path) == record


def test_measured_with_the_cell_or_later_is_the_same(tmp_path: Path, run: Command) -> None:
    assert run(*FEW).code == 0
    assert run(*FEW, "topology=full").code == 0
    later = the_record(tmp_path)
    for path in (tmp_path / "results" / "runs").glob("*/record.json"):
        path.unlink()
    assert run(*FEW, "topology=full").code == 0
    with_the_cell = the_record(tmp_path)
    assert with_the_cell["key"] == later["key"]
    assert with_the_cell["topology"] == later["topology"]


def test_an_unknown_kind_is_one_sentence(tmp_path: Path, run: Command) -> None:
    ran = run(*FEW, "topology=some")
    assert ran.code == 2
    assert "topology must be none, ramanujan or full, got 'some'" in ran.err
