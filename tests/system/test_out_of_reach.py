"""Folders that cannot even be looked for, as another's or with too long a name, are a sentence or as if they were not there."""

from pathlib import Path

import pytest

from pruneexp.errors import UserError
from pruneexp.records.check import check
from pruneexp.records.store import Store
from pruneexp.reports.frame import recorded
from pruneexp.system.tracking import _anything_set
from tests.command import in_process, refused

LONG = "a" * 300


def test_records_are_looked_for_in_a_sentence(tmp_path: Path) -> None:
    for looking in (lambda: check(str(tmp_path / LONG)), lambda: Store(tmp_path / LONG).read_all(["key"])):
        with pytest.raises(UserError, match=r"cannot be read \(File name too long\): take a shorter name\.$"):
            looking()
    with pytest.raises(UserError, match="name a folder of cells"):
        recorded(tmp_path / LONG)


def test_no_folder_has_no_records(tmp_path: Path) -> None:
    assert Store(tmp_path / "none").read_all(["key"]) == {}
    with pytest.raises(UserError, match="is no folder: name one that holds finished cells"):
        check(str(tmp_path / "none"))


def test_wandb_is_asked_where_home_cannot_be_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", LONG)
    assert _anything_set()  # W&B may find something there all the same


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["report_dir=" + LONG], "none of the 27 cells is recorded in"),
        (["results_dir=" + LONG], "cannot be read (File name too long): take a shorter name."),
    ],
)
def test_a_report_out_of_reach_is_refused(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(in_process(tmp_path, monkeypatch, capsys, "mode=report", "seed=0", *words), told, tmp_path)
