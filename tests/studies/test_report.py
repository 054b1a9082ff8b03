"""What all studies share: the command line, the files' first line, and how a mistake ends."""

import importlib
import json
import pkgutil
import re
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from pruneexp import studies
from pruneexp.errors import UserError
from pruneexp.records.provenance import git_commit
from pruneexp.studies import report

MODULES = [module.name for module in pkgutil.walk_packages(studies.__path__, f"{studies.__name__}.")]
STUDIES = [name for name in MODULES if hasattr(importlib.import_module(name), "main")]
MAKEFILE = Path(__file__).resolve().parents[2] / "Makefile"


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_says_how_it_is_called(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    study = importlib.import_module(name)
    doc = str(study.__doc__)
    assert f"\n    python -m {name} " in doc
    with pytest.raises(SystemExit) as end:
        study.main(["--help"])
    assert end.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "--report-dir" in shown
    assert doc.splitlines()[0] in shown.replace("- ", "-")


def test_make_runs_the_studies_that_there_are() -> None:
    run = set(re.findall(r"python -m (pruneexp\.studies\.\S+)", MAKEFILE.read_text()))
    assert run == set(STUDIES) - {"pruneexp.studies.topology.mge_pool"}  # which needs the authors' files


def test_the_command_says_what_was_asked_but_not_where_things_lie() -> None:
    arguments = ["--report-dir", "/tmp/a", "fig2", "--data-dir=/tmp/b", "--name", "two words"]
    commit = f"; commit {git_commit()}"
    assert report.made_by("a.b", arguments) == f"python -m pruneexp.studies.a.b fig2 --name 'two words'{commit}"
    assert report.made_by("a", []) == f"python -m pruneexp.studies.a{commit}"


def test_an_installed_copy_knows_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "git_commit", lambda: None)
    assert report.made_by("a", []) == "python -m pruneexp.studies.a; commit unknown"


def test_without_arguments_it_is_the_processs_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["program", "--seeds", "2"])
    assert report.made_by("a", None).startswith("python -m pruneexp.studies.a --seeds 2; commit ")


def test_a_table_is_printed_and_written_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.DataFrame({"a": ["x"], "b": [1 / 3]})
    report.write_table(tmp_path / "new", "name-0.1", table, "shown\n", "command")
    assert capsys.readouterr().out.strip() == "shown"
    assert (tmp_path / "new" / "tables" / "name-0.1.csv").read_text() == "a,b\nx,0.333333\n"
    made = json.loads((tmp_path / "new" / "tables" / "name-0.1.json").read_text())
    assert made == {"command": "command", "commit": ""}
    assert (tmp_path / "new" / "tables" / "name-0.1.md").read_text() == "<!-- made by: command -->\nshown\n"
    report.write_table(tmp_path, "name", table, "shown", "command", digits=8)
    assert "0.33333333\n" in (tmp_path / "tables" / "name.csv").read_text()


def test_a_figure_holds_its_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report.write_figure(tmp_path, "name", Figure(), "the command")
    paths = [tmp_path / "figures" / f"name.{kind}" for kind in ("png", "svg", "pdf")]
    assert capsys.readouterr().out.split() == [str(path) for path in paths]
    assert all(b"the command" in path.read_bytes() for path in paths)


def test_a_folder_that_cannot_be_made_loses_no_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        UserError, match=r"file/tables cannot be made \(Not a directory\): .*take another folder with --report-dir=PATH"
    ):
        report.write_table(tmp_path / "file", "name", pd.DataFrame(), "shown", "command")
    assert "shown" in capsys.readouterr().out


def test_a_mistake_is_one_sentence_and_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise UserError("what was wrong.")

    with pytest.raises(SystemExit) as end:
        report.run(main)
    assert end.value.code == 2
    assert capsys.readouterr().err == "pruneexp: what was wrong.\n"
