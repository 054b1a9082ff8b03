"""docs/first_steps.ipynb runs as it stands, and what it shows comes from a run."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from threadpoolctl import threadpool_limits

from scripts.notebook import FIRST_STEPS, run
from tests.command import ROOT

STORED = json.loads(FIRST_STEPS.read_text(encoding="utf-8"))


def kinds(notebook: dict[str, Any]) -> list[list[list[str]]]:
    """What each code cell shows: of every output what it is."""
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [[sorted(one.get("data", {"stdout": 0})) for one in cell["outputs"]] for cell in code]


def printed(notebook: dict[str, Any]) -> str:
    lines = [line for cell in notebook["cells"] for one in cell.get("outputs", []) for line in one.get("text", [])]
    return "".join(lines)


def test_it_runs_and_shows_what_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with threadpool_limits(1):
        done = run(STORED)
    assert kinds(done) == kinds(STORED)
    assert [cell["source"] for cell in done["cells"]] == [cell["source"] for cell in STORED["cells"]]
    sparsify, exported = re.findall(r"accuracy ([\d.]+) %$", printed(done), re.MULTILINE)
    assert sparsify == exported
    assert {path.name for path in (tmp_path / "first_steps").iterdir()} == {"again", "data", "net.pt2", "runs"}


def test_what_is_stored_names_no_place_of_a_machine() -> None:
    text = FIRST_STEPS.read_text(encoding="utf-8")
    assert "image/png" in text
    assert kinds(STORED) == [kind for kind in kinds(STORED) if kind]
    assert not re.search(r"/tmp/|/home/|/root/|/Users/|site-packages", text + printed(STORED))
    assert str(ROOT) not in text
