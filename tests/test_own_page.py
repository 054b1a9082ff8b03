"""docs/own.md: what it says to write and to type works in a folder of its own."""

import re
import sys
from pathlib import Path

import pytest

import pruneexp
from tests.command import ROOT, SMALL

PAGE = (ROOT / "docs" / "own.md").read_text(encoding="utf-8")


def test_the_pages_scorer_and_model_are_trained_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = re.findall(r"^`([\w./]+)`:\n\n```\w+\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert [name for name, _ in written] == ["mine.py", "conf/scorer/spread.yaml", "conf/model/tiny.yaml"]
    for name, text in written:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    typed = next(line for line in PAGE.splitlines() if "scorer=spread,magnitude" in line).split()
    assert typed[:4] == ["python", "-m", "pruneexp", "--config-dir=conf"]
    try:
        table = pruneexp.run([*typed[4:], *SMALL, "densities=[0.5]"], config_dir=str(tmp_path / "conf"))
    finally:
        sys.modules.pop("mine", None)  # others have one of that name
    assert table["scorer"].tolist() == ["spread", "magnitude"]
    assert set(table["model"]) == {"tiny"}
    assert set(table["kept"]) == {round(0.5 * (3 * 16 * 9 + 16 * 10))}
