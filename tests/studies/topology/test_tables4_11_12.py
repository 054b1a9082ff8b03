"""Tables 4, 11 and 12 from end to end; the learner, which has its own tests, is replaced."""

import json
from pathlib import Path

import pandas as pd
import pytest

from pruneexp.studies.topology import tables4_11_12 as tables


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A learner that knows the order: every overlap of its is 1."""
    monkeypatch.setattr(tables, "learned", lambda frame, *_: -frame["accuracy"])


def test_ours_stand_beside_the_published(tmp_path: Path, pool: Path) -> None:
    tables.main(["--pool", str(pool), "--report-dir", str(tmp_path)])
    for number in ("4", "11", "12"):
        path = tmp_path / "tables" / f"topology_table{number}.csv"
        made = json.loads(path.with_suffix(".json").read_text())["command"]
        assert made.startswith("python -m pruneexp.studies.topology.tables4_11_12 --pool ")
        table = pd.read_csv(path)
        assert set(table["model"]) == {"conv6", "resnet20"}
        assert (table.loc[table["strategy"] == "forest, held-out", "mean"] == 1).all()
        text = (tmp_path / "tables" / f"topology_table{number}.md").read_text()
        assert "ours less published" in text
        # two networks at five sparsities; Table 12 has one misprint
        assert f"{9 if number == '12' else 10} of 10 of layer density" in " ".join(text.split())
        assert "Forest, held-out (1.00 on average), is ahead of layer density" in text


def test_networks_of_our_own_stand_alone(tmp_path: Path, records: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables.main(["--records", str(records), "--report-dir", str(tmp_path)])
    text = (tmp_path / "tables" / "topology_table4-ours.md").read_text()
    assert "ours less published" not in text
    assert "held-out model" not in text.split("\n\n")[1]  # there is no other model
    assert [path.name for path in sorted((tmp_path / "tables").iterdir())] == [
        "topology_table4-ours.csv",
        "topology_table4-ours.json",
        "topology_table4-ours.md",
    ]
    told = capsys.readouterr().out
    assert "table 11: fewer than two of snip, grasp, synflow, prospr among the networks" in told
    assert "table 12: fewer than two of uniform, er, erk among the networks" in told
