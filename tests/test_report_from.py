"""``mode=report`` of several experiments, folders and files at once (``from=``), and of chosen rows (``where=``)."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pruneexp
from pruneexp.sweep import expand
from tests.command import TABLES, Outcome, in_process
from tests.reports.made_records import fill, record

Run = Callable[..., Outcome]
EXPERIMENT = (
    "# @package _global_\nname: {name}\ntitle: Title of {name}\ndensities: [{densities}]\nhydra:\n  sweeper:\n    params:\n"
    "      masker: {masker}\n      seed: 0,1,2\n"
)  # fmt: skip
WORDS = ("-cd", "mine", "mode=report", "figure=[]")


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with records of two experiments of one's own, and a third that has none."""
    folder = tmp_path_factory.mktemp("there")
    (folder / "mine" / "experiment").mkdir(parents=True)
    for name, densities, masker in (("a", "1.0, 0.1", "greedy"), ("b", "0.1", "greedy,sparsify"), ("c", "0.5", "erk")):
        text = EXPERIMENT.format(name=name, densities=densities, masker=masker)
        (folder / "mine" / "experiment" / f"{name}.yaml").write_text(text)
    for name in "ab":
        grid = expand([f"hydra.searchpath=[file://{folder}/mine]", f"+experiment={name}"])
        fill(grid, folder / "results" / "runs", lambda cell: record(cell, 90.0 - 20 * (cell.density < 1) - cell.seed))
    return folder


@pytest.fixture
def run(there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """``run(words...)``: the command in this process, beside a copy of what is `there`."""
    shutil.copytree(there, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return lambda *words: in_process(tmp_path, monkeypatch, capsys, *words)


def reported(folder: Path) -> tuple[str, pd.DataFrame, dict[str, Any]]:
    """The only report: its files' name, its table, and where it comes from."""
    (path,) = folder.glob(f"{TABLES}/*.csv")
    return path.stem, pd.read_csv(path), json.loads(path.with_suffix(".json").read_text())


def refused(outcome: Outcome, *told: str) -> None:
    assert outcome.code == 2
    assert outcome.err.startswith("pruneexp: ")
    assert outcome.err.count("\n") == 1
    assert all(part in outcome.err for part in told), outcome.err


def test_two_experiments_are_one_table_in_which_a_common_cell_is_there_once(run: Run, tmp_path: Path) -> None:
    outcome = run(*WORDS, "from=[a,b]")
    assert outcome.code == 0, outcome.err
    stem, rows, told = reported(tmp_path)
    assert stem == "a+b"
    assert (told["name"], told["title"]) == ("a+b", "Title of a, Title of b")
    assert (told["cells"], told["cells_asked_for"]) == (9, 9)
    assert dict(zip(rows["masker"], rows["n"], strict=True)) == {"dense": 3, "greedy": 3, "sparsify": 3}
    assert rows["pairs"].tolist() == [0, 3, 3]  # b has no dense network of its own
    assert sorted(path.name for path in (tmp_path / TABLES).iterdir()) == ["a+b.csv", "a+b.json", "a+b.md", "a+b.tex"]


def test_a_name_of_ones_own_a_file_and_a_folder(run: Run, tmp_path: Path) -> None:
    assert run(*WORDS, "+experiment=b").code == 0
    (tmp_path / "results/runs/reports/records/b.jsonl").rename(tmp_path / "kept.jsonl")
    for path in (tmp_path / TABLES).iterdir():
        path.unlink()
    assert run(*WORDS, "from=[a,kept.jsonl]", "name=both", "title=Both of them").code == 0
    stem, rows, told = reported(tmp_path)
    assert (stem, told["name"], len(rows)) == ("both", "both", 3)
    for path in (tmp_path / TABLES).iterdir():
        path.unlink()
    assert run(*WORDS, "from=[results/runs]", "report_dir=elsewhere").code == 0
    assert len(pd.read_csv(tmp_path / "elsewhere" / "tables" / "runs.csv")) == 3
    assert not list((tmp_path / TABLES).iterdir())


def test_a_quoted_name_is_the_name(run: Run, tmp_path: Path) -> None:
    assert run(*WORDS, "from=[a]", "name='both'").code == 0
    assert reported(tmp_path)[0] == "both"


def test_one_experiment_alone_is_its_own_report(run: Run, tmp_path: Path) -> None:
    assert run(*WORDS, "from=[a]").code == 0
    first = reported(tmp_path)
    assert run(*WORDS, "+experiment=a").code == 0
    again = reported(tmp_path)
    assert (first[0], again[0]) == ("a", "a")
    pd.testing.assert_frame_equal(first[1], again[1])


def test_changes_are_those_of_every_experiment(run: Run) -> None:
    refused(run(*WORDS, "from=[a,b]", "recipe.epochs=1"), "none of the 9 cells is recorded in results/runs")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["from=[nobodys]"], "there is no experiment 'nobodys'"),
        ([f"from=[{'a' * 300}]"], "aaa cannot be read (File name too long): take a shorter name."),
        (["from=[]"], "from= must be a list of experiments"),
        (["from=[3]"], "from= must be a list of experiments"),
        (["from=a,b"], "from= must be a list of experiments"),
        (["from=[a]", "+experiment=b"], "leave +experiment= out"),
        (["from=[a]", "mode=run"], "type mode=report, got mode=run"),
        (["from=[a,b]", "mode=plan"], "type mode=report, got mode=plan"),
        (["from=[nowhere.jsonl]"], "nowhere.jsonl"),
        (["from=[c]"], "none of the 3 cells is recorded"),
        (["from=[a]", "name=x/y"], "name must be"),
        (["from=[a"], "cannot be read"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_written(
    run: Run, tmp_path: Path, words: list[str], told: str
) -> None:
    refused(run(*WORDS, *words), told)
    assert not (tmp_path / TABLES).exists()


# where


def test_where_narrows_the_rows_and_stands_in_the_name(run: Run, tmp_path: Path) -> None:
    assert run(*WORDS, "+experiment=a").code == 0
    whole = (tmp_path / TABLES / "a.csv").read_bytes()
    assert run(*WORDS, "+experiment=a", "where=\"masker == 'greedy' and seed > 0\"").code == 0
    assert (tmp_path / TABLES / "a.csv").read_bytes() == whole
    (path,) = (path for path in (tmp_path / TABLES).glob("*.csv") if path.stem != "a")
    assert path.stem.startswith("a-where=")
    rows = pd.read_csv(path)
    assert (rows["masker"].tolist(), rows["n"].tolist()) == (["greedy"], [2])
    told = json.loads(path.with_suffix(".json").read_text())
    assert told["name"] == "a[where=masker == 'greedy' and seed > 0]"
    assert (told["cells"], told["cells_asked_for"]) == (2, 6)
    assert rows["drop"].tolist() == [20.0]  # of dense cells that are not shown


@pytest.mark.parametrize("words", [["from=[a,b]"], ["from=[a,b]", "name=both"], ["from=[results/runs]"]])
def test_where_stands_in_the_name_of_several_too(run: Run, tmp_path: Path, words: list[str]) -> None:
    assert run(*WORDS, *words, 'where="seed == 0"').code == 0
    stem, rows, told = reported(tmp_path)
    assert stem.endswith("where=seed_=_0") or "where=seed" in stem
    assert "where=seed == 0]" in told["name"]
    assert rows["n"].tolist() == [1] * 3
    assert run(*WORDS, *words).code == 0
    assert len(list((tmp_path / TABLES).glob("*.csv"))) == 2


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("where=nothing", "where='nothing' cannot be understood ("),
        ("where=\"seed = 3\"", "cannot be understood ("),
        ("where=\"masker == 'nobodys'\"", "is true for none of the 6 cells that are recorded"),
        ("where=''", "where must be none, or a comparison of columns"),
        ("where=\"seed == 0\",\"seed == 1\"", "where has one value for all jobs of a sweep"),
    ],
)  # fmt: skip
def test_where_that_cannot_be_or_is_true_for_none_is_one_sentence(
    run: Run, tmp_path: Path, where: str, told: str
) -> None:
    refused(run(*WORDS, "+experiment=a", where), told)
    assert not (tmp_path / TABLES).exists() or not list((tmp_path / TABLES).iterdir())


# from Python


def test_run_returns_the_rows_that_the_report_is_of(run: Run, tmp_path: Path) -> None:
    found = pruneexp.run(["mode=report", "figure=[]", "from=[a,b]", 'where="seed == 1"'], config_dir="mine")
    assert list(found["experiment"]) == ["a", "a", "b", "b"]
    assert list(found["masker"]) == ["dense", "greedy", "greedy", "sparsify"]
    # where an experiment has nothing recorded, where= is no mistake
    both = pruneexp.run(["mode=report", "figure=[]", "from=[a,c]", 'where="seed == 1"'], config_dir="mine")
    assert list(both["experiment"]) == ["a", "a"]


def test_run_returns_the_rows_of_files_too(run: Run, tmp_path: Path) -> None:
    assert run(*WORDS, "+experiment=b").code == 0
    (tmp_path / "results/runs/reports/records/b.jsonl").rename(tmp_path / "kept.jsonl")
    found = pruneexp.run(["mode=report", "figure=[]", "from=[kept.jsonl]"], config_dir="mine")
    assert list(found["masker"].unique()) == ["greedy", "sparsify"]
    assert len(found) == 6
