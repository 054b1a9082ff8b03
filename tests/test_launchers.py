"""The same command through every launcher leaves the same results, whichever of its processes is killed."""

import contextlib
import dataclasses
import json
import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from pruneexp.failures import Failure
from pruneexp.launchers.bundle import Bundle
from pruneexp.launchers.task import Outcome as Ended
from pruneexp.launchers.task import Report, Task, tasks
from pruneexp.preflight import look
from pruneexp.records.store import Store
from pruneexp.sweep import expand
from scripts.kill_and_restart import without_seconds
from tests.command import LAUNCHED, TABLES, Run, ended, files, refused, started, with_workers


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """``run(overrides...)``: the command in this process, in an empty folder, its workers in theirs."""
    return with_workers(tmp_path, monkeypatch, capsys)


def processes(module: str, folder: Path) -> list[int]:
    """The processes that run `module` in `folder`."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            line = (path / "cmdline").read_text()
            if f"\0{module}\0" in line and Path(os.readlink(path / "cwd")) == folder:
                found.append(int(path.name))
    return found


def kill_in_a_cell(module: str, folder: Path, killed: list[int]) -> None:
    """As soon as a cell has a checkpoint, kill -9 the process that trains it."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if list((folder / "results/runs").glob(".*.checkpoint")):
            for process in processes(module, folder)[:1]:
                os.kill(process, signal.SIGKILL)
                killed.append(process)
            return
        time.sleep(0.005)


def same_results(folder: Path, local: Path) -> None:
    """Every file there, every byte the same but for times and the commands in reports and records."""
    assert [f for f in files(folder) if ".hydra" not in f] == [
        f for f in files(local) if ".hydra" not in f and not f.startswith("data")
    ]
    (table,) = local.glob(f"{TABLES}/*.csv")
    assert without_seconds(folder / table.relative_to(local)) == without_seconds(table)
    for path in local.glob("results/runs/*-*/*"):
        if path.name != "record.json":
            assert path.read_bytes() == (folder / path.relative_to(local)).read_bytes(), path.name


def finished(out: str) -> Counter[str]:
    """How often each cell was finished, by its number."""
    return Counter(line.partition("cell ")[2].partition(" of")[0] for line in out.splitlines() if ": accuracy" in line)


def test_gpus_with_a_worker_killed_in_a_cell(
    tmp_path: Path, local: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    arguments = [*LAUNCHED, "launcher=gpus", "launcher.devices=2", f"data_dir={local / 'data'}"]
    killed: list[int] = []
    texts = tmp_path_factory.mktemp("texts")
    process = started(tmp_path, texts, *arguments)
    kill_in_a_cell("pruneexp.launchers.gpu_worker", tmp_path, killed)
    done = ended(process, texts)
    assert done.code == 0, done.err
    assert len(killed) == 1
    assert "the worker died (exit code -9) in digits vgg_small magnitude" in done.out
    assert set(finished(done.out).values()) == {1}
    assert {line[:4] for line in done.out.splitlines() if ": accuracy" in line} <= {"[0] ", "[1] "}
    same_results(tmp_path, local)
    assert processes("pruneexp.launchers.gpu_worker", tmp_path) == []


def test_where_the_program_is_at_fault_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    for key in ("a", "b"):
        report.add(Ended((Failure(key, key, "no room."), Failure(f"{key}2", key, "TypeError: x", "Traceback\n  x"))))
    assert set(report.failures) == {"a", "a2", "b", "b2"}
    assert capsys.readouterr().err == "Traceback\n  x\n"


def test_a_task_returns_what_goes_wrong(tmp_path: Path) -> None:
    grid = expand([*LAUNCHED, f"data_dir={tmp_path}", f"results_dir={tmp_path / 'runs'}"])
    first, second = tasks([grid], look([grid], Store(tmp_path / "runs")).left)
    assert first.title == "digits vgg_small magnitude sparsify seed 0"
    assert second.title == "digits vgg_small magnitude greedy seed 0"
    assert [[one.number for one in task.todo] for task in (first, second)] == [
        [1, 2],
        [1, 3],
    ]  # they share the dense one
    assert {first.total, second.total} == {3}
    assert "data_dir" not in first.command
    assert first.command.startswith("python -m pruneexp recipe=smoke ")
    assert first.command.endswith("seed=0 densities=[1.0,0.1] masker=sparsify")
    both = Bundle((first, second))
    assert Bundle.of(json.loads(json.dumps(dataclasses.asdict(both)))) == both
    (tmp_path / "runs").write_text("not a folder")
    outcome = Bundle((first,)).run()
    assert "results_dir=PATH" in outcome.stopped
    broken = Bundle((Task({}, "", "x seed 0", first.todo, 2),)).run()
    assert [failure.title for failure in broken.failures] == ["x density 1 seed 0", "x density 0.1 seed 0"]
    assert all(failure.trace.startswith("Traceback") for failure in broken.failures)
    assert all(failure.why.startswith("KeyError") for failure in broken.failures)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["launcher=gpu"], "there is no launcher 'gpu'. Did you mean 'gpus'?"),
        (
            ["launcher=gpus", "launcher.devices=0"],
            "launcher.devices must be auto or a whole number, at least 1 and at most 1024, got 0.",
        ),
        (["launcher=gpus", "launcher.devices=all"], "at least 1 and at most 1024, got 'all'."),
        (["launcher=gpus", "launcher.device=2"], "there is no option 'launcher.device'"),
        (["launcher=local,gpus"], "launcher has one value for all jobs of a sweep"),
        (["launcher=gpus", "launcher.devices=1,2"], "launcher.devices has one value for all jobs of a sweep"),
    ],
)
def test_a_mistake_is_one_sentence_before_anything_runs(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    refused(run(*LAUNCHED, *arguments), told, tmp_path)
