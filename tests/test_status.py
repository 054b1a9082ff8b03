"""mode=status: what is done, being worked on, failed or missing, before, during and after a sweep; it writes nothing."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pruneexp.records import marks
from pruneexp.records.store import Store
from pruneexp.sweep import expand
from tests.command import SMALL, Run, environment, in_process

SWEEP = (*SMALL, "seed=0", "masker=ramanujan_fit,greedy", "densities=[0.004,0.2]")  # one is too sparse for graphs
NAME = "digits vgg_small {} density {:g} seed 0"
HOLD = """
import sys
from pruneexp.records import marks
from pruneexp.records.store import Store

store = Store(sys.argv[1])
with store.claim(sys.argv[2]), marks.working(store, sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def run(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """``run(overrides...)``: the command in this process, in an empty folder."""
    return lambda *words: in_process(tmp_path, monkeypatch, capsys, *words, f"data_dir={data}")


@pytest.fixture
def key(data: Path) -> str:
    """Of greedy's denser cell."""
    return expand([*SWEEP, f"data_dir={data}"]).slots[3].cell.key


@contextmanager
def held(folder: Path, key: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that works on a cell."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder / "results/runs"), key],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def failed(folder: Path, key: str) -> None:
    """Leave word of a failure."""
    (folder / "results/runs").mkdir(parents=True, exist_ok=True)
    marks.failed(Store(folder / "results/runs"), key, "no room.")


def state(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file and folder, its size and time of writing."""
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def rows(out: str) -> list[list[str]]:
    """The table's rows: masker, density and the four counts."""
    cells = [[part.strip() for part in line.split("|")[1:-1]] for line in out.splitlines() if line.startswith("|")]
    return [[row[3], row[6], *row[7:]] for row in cells[2:]]  # below the titles and their line


def test_before_nothing_is_there_and_nothing_is_written(run: Run, tmp_path: Path) -> None:
    outcome = run(*SWEEP, "mode=status")
    assert (outcome.code, outcome.err) == (0, "")
    assert "quickstart, 4 cells" in outcome.out
    assert "0 done, 0 being worked on, 0 failed, 4 missing." in outcome.out
    assert rows(outcome.out) == [
        [masker, density, "", "", "", "1"] for masker in ("ramanujan_fit", "greedy") for density in ("0.004", "0.2")
    ]
    assert list(tmp_path.iterdir()) == []


def test_seeds_are_counted_in_one_row(run: Run) -> None:
    outcome = run(*SMALL, "seed=0,1,2", "masker=greedy", "densities=[1.0,0.2]", "mode=status")
    assert rows(outcome.out) == [["dense", "1", "", "", "", "3"], ["greedy", "0.2", "", "", "", "3"]]
    assert "0 done, 0 being worked on, 0 failed, 6 missing." in outcome.out


def test_afterwards_what_is_done_and_what_failed_and_why(run: Run, tmp_path: Path) -> None:
    made = run(*SWEEP)
    assert made.code == 1
    why = made.err.partition(NAME.format("none ramanujan_fit", 0.004) + ": ")[2].strip()
    before = state(tmp_path)
    outcome = run(*SWEEP, "mode=status")
    assert outcome.code == 0
    assert "3 done, 0 being worked on, 1 failed, 0 missing." in outcome.out
    assert rows(outcome.out)[0] == ["ramanujan_fit", "0.004", "", "", "1", ""]
    assert {tuple(row[2:]) for row in rows(outcome.out)[1:]} == {("1", "", "", "")}
    (line,) = [line for line in outcome.out.splitlines() if line.startswith("digits ")]
    name = re.escape(NAME.format("none ramanujan_fit", 0.004))
    told = rf"{name}: failed \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d, process {os.getpid()} on \S+: "
    assert re.fullmatch(told + re.escape(why), line)
    assert state(tmp_path) == before


def test_during_a_sweep_a_cell_is_worked_on_while_its_process_holds_it(run: Run, tmp_path: Path, key: str) -> None:
    with held(tmp_path, key) as process:
        before = state(tmp_path)
        outcome = run(*SWEEP, "mode=status")
        assert "0 done, 1 being worked on, 0 failed, 3 missing." in outcome.out
        assert rows(outcome.out)[3] == ["greedy", "0.2", "", "1", "", ""]
        assert re.search(
            rf"{re.escape(NAME.format('magnitude greedy', 0.2))}: since \S+ \S+, process {process.pid} on ", outcome.out
        )
        assert state(tmp_path) == before
        process.kill()
        process.wait()
        assert (tmp_path / "results/runs" / f".{key}.working").exists()
        left = run(*SWEEP, "mode=status")
        assert "0 done, 0 being worked on, 0 failed, 4 missing." in left.out
        assert "since" not in left.out
        assert (tmp_path / "results/runs" / f".{key}.working").exists()


def test_a_cell_that_failed_and_is_worked_on_again_is_worked_on(run: Run, tmp_path: Path, key: str) -> None:
    failed(tmp_path, key)
    assert "0 done, 0 being worked on, 1 failed, 3 missing." in run(*SWEEP, "mode=status").out
    with held(tmp_path, key):
        outcome = run(*SWEEP, "mode=status")
        assert "0 done, 1 being worked on, 0 failed, 3 missing." in outcome.out
        assert "no room." not in outcome.out


def test_a_cell_that_is_made_after_all_has_not_failed(run: Run, tmp_path: Path, key: str) -> None:
    failed(tmp_path, key)
    assert run(*SWEEP, "masker=greedy", "densities=[0.2]").code == 0
    outcome = run(*SWEEP, "mode=status")
    assert "1 done, 0 being worked on, 0 failed, 3 missing." in outcome.out
    assert list(tmp_path.glob("results/runs/.*.failed")) == []
    assert list(tmp_path.glob("results/runs/.*.working")) == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"when": 1}', "\0"])
def test_a_damaged_word_is_none(run: Run, tmp_path: Path, key: str, content: str) -> None:
    folder = tmp_path / "results/runs"
    folder.mkdir(parents=True)
    for kind in ("failed", "working"):
        (folder / f".{key}.{kind}").write_text(content)
    assert "0 done, 0 being worked on, 0 failed, 4 missing." in run(*SWEEP, "mode=status").out


def test_each_experiment_has_a_table(run: Run, tmp_path: Path) -> None:
    outcome = run("+experiment=vgg16_c100_sweep,topology_controls", "seed=0", "mode=status")
    assert "vgg16_c100_sweep, 22 cells" in outcome.out
    assert "topology_controls, 17 cells" in outcome.out
    assert "0 done, 0 being worked on, 0 failed, 22 missing." in outcome.out
    assert list(tmp_path.iterdir()) == []


def test_many_failures_are_not_all_told(run: Run, tmp_path: Path, data: Path) -> None:
    words = (*SMALL, "seed=range(0,25)", "masker=greedy", "densities=[0.2]")
    for slot in expand([*words, f"data_dir={data}"]).slots:
        failed(tmp_path, slot.cell.key)
    outcome = run(*words, "mode=status")
    assert "0 done, 0 being worked on, 25 failed, 0 missing." in outcome.out
    assert outcome.out.count(": no room.") == 20
    assert "and 5 others failed." in outcome.out
