"""The same command through every launcher leaves the same results, whichever of its processes is killed."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from pruneexp.launchers.task import Outcome as Ended
from pruneexp.launchers.task import Report, Task, tasks
from pruneexp.sweep import expand
from scripts.kill_and_restart import without_seconds
from tests.command import SMALL, Outcome, command, environment, files, in_process

ROWS = ("recipe.epochs=6", "trainer.checkpoint_seconds=0.01", "seed=0", "densities=[1.0,0.1]")
SWEEP = (*SMALL, *ROWS)  # two jobs, sparsify and greedy, of one dense and one pruned cell; the dense one is the same
TABLE = Path("results/runs/reports/tables/quickstart-smoke.csv")

Run = Callable[..., Outcome]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``launcher=local`` leaves."""
    folder = tmp_path_factory.mktemp("local")
    done = command(folder, *SWEEP)
    assert done.code == 0, done.err
    assert done.out.count(": accuracy") == 3
    return folder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """``run(overrides...)``: the command in this process, in an empty folder, its workers in theirs."""
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: in_process(tmp_path, monkeypatch, capsys, *arguments)


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
    assert without_seconds(folder / TABLE).splitlines()[1:] == without_seconds(local / TABLE).splitlines()[1:]
    for path in local.glob("results/runs/*-*/*"):
        if path.name != "record.json":
            assert path.read_bytes() == (folder / path.relative_to(local)).read_bytes(), path.name


def finished(out: str) -> Counter[str]:
    """How often each cell was finished, by its number."""
    return Counter(line.partition("cell ")[2].partition(" of")[0] for line in out.splitlines() if ": accuracy" in line)


def test_gpus_with_a_worker_killed_in_a_cell(tmp_path: Path, local: Path) -> None:
    arguments = [*SWEEP, "launcher=gpus", "launcher.devices=2", f"data_dir={local / 'data'}"]
    killed: list[int] = []
    thread = threading.Thread(target=kill_in_a_cell, args=("pruneexp.launchers.gpu_worker", tmp_path, killed))
    thread.start()
    done = command(tmp_path, *arguments)
    thread.join()
    assert done.code == 0, done.err
    assert len(killed) == 1
    assert "the worker died (exit code -9) in digits vgg_small magnitude" in done.out
    assert set(finished(done.out).values()) == {1}
    assert {line[:4] for line in done.out.splitlines() if ": accuracy" in line} <= {"[0] ", "[1] "}
    same_results(tmp_path, local)
    assert processes("pruneexp.launchers.gpu_worker", tmp_path) == []


def test_slurm_local(run: Run, tmp_path: Path, local: Path) -> None:
    outcome = run(*SWEEP, "launcher=slurm_local", f"data_dir={local / 'data'}")
    assert outcome.code == 0, outcome.err
    assert set(finished(outcome.out).values()) == {1}
    same_results(tmp_path, local)


def test_how_jobs_end_is_told_once_and_the_sweep_ends_with_the_worst(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    for outcome in (Ended(), Ended(2, "no room."), Ended(1, "Traceback\n"), Ended(2, "no room.")):
        report.add(outcome)
    assert report.code == 2
    assert capsys.readouterr().err == "pruneexp: no room.\nTraceback\n"


def test_a_task_returns_what_goes_wrong(tmp_path: Path) -> None:
    grid = expand([*SWEEP, f"data_dir={tmp_path}", f"results_dir={tmp_path / 'runs'}"])
    first, second = tasks(grid)
    assert (first.title, first.first) == ("digits vgg_small magnitude sparsify seed 0", 0)
    assert (second.title, second.first) == ("digits vgg_small magnitude greedy seed 0", 2)
    assert "data_dir" not in first.command
    assert first.command.startswith("python -m pruneexp recipe=smoke ")
    assert first.command.endswith("seed=0 densities=[1.0,0.1] masker=sparsify")
    (tmp_path / "runs").write_text("not a folder")
    outcome = first.run()
    assert outcome.code == 2
    assert "results_dir=PATH" in outcome.told
    broken = Task({}, "", 0, 0, "").run()
    assert broken.code == 1
    assert broken.told.startswith("Traceback")


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
        (["launcher=slurm_local", "launcher.parallel=0"], "launcher.parallel must be a whole number, at least 1"),
        (["launcher=slurm", "launcher.mem_gb=-1"], "launcher.mem_gb must be a finite number, above 0"),
        (["launcher=slurm"], "launcher=slurm needs Slurm's sbatch, which is not on the PATH"),
    ],
)
def test_a_mistake_is_one_sentence_before_anything_runs(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    outcome = run(*SWEEP, *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("pruneexp: ")
    assert outcome.err.count("\n") == 1
    assert told in outcome.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("launcher", ["slurm", "slurm_local"])
def test_submitit_is_asked_for(run: Run, monkeypatch: pytest.MonkeyPatch, launcher: str) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    outcome = run(*SWEEP, f"launcher={launcher}")
    assert outcome.code == 2
    assert f"launcher={launcher} needs the submitit package: pip install 'pruneexp[slurm]'." in outcome.err


@pytest.fixture
def false_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs of Slurm's names on the PATH: sbatch takes jobs and runs none, squeue lists none."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, script in {"sbatch": "echo Submitted batch job 17", "squeue": "", "srun": "", "scancel": ""}.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


SLURM = ("launcher=slurm", "launcher.lost_seconds=0.3", "launcher.unreachable_min=0.005", "launcher.poll_seconds=0.05")


@pytest.mark.parametrize("squeue", ["", "exit 1"])
def test_slurm_jobs_that_are_lost_are_not_waited_for_for_ever(
    run: Run, local: Path, false_slurm: Path, squeue: str
) -> None:
    (false_slurm / "squeue").write_text(f"#!/bin/sh\n{squeue}\n")
    outcome = run(*SWEEP, *SLURM, f"data_dir={local / 'data'}")
    assert outcome.code == 1
    assert "2 Slurm jobs: 17; their logs are in" in outcome.out
    assert outcome.err.count("ended without a result") == 2


def test_slurm_that_takes_no_jobs_is_one_sentence(run: Run, local: Path, false_slurm: Path) -> None:
    (false_slurm / "sbatch").write_text("#!/bin/sh\necho invalid partition >&2\nexit 1\n")
    outcome = run(*SWEEP, *SLURM, f"data_dir={local / 'data'}")
    assert outcome.code == 2
    assert "Slurm does not take the jobs" in outcome.err
    assert "invalid partition" in outcome.err


def test_what_sbatch_is_given(run: Run, tmp_path: Path, local: Path, false_slurm: Path) -> None:
    (false_slurm / "sbatch").write_text(f"#!/bin/sh\ncp $1 {tmp_path}/script\necho Submitted batch job 17\n")
    run(
        *SWEEP, *SLURM, f"data_dir={local / 'data'}", "launcher.partition=long", "launcher.array_parallelism=1",
        "+launcher.sbatch.reservation=mine", "launcher.setup=[module load cuda]", "trainer.accelerator=cuda",
    )  # fmt: skip
    script = (tmp_path / "script").read_text()
    for line in (
        "#SBATCH --requeue", "#SBATCH --array=0-1%1", "#SBATCH --partition=long", "#SBATCH --gpus-per-node=1", "#SBATCH --time=240",
        "#SBATCH --mem=16384MB", "#SBATCH --cpus-per-task=4", "#SBATCH --signal=USR2@120", "#SBATCH --reservation=mine",
        "module load cuda",
    ):  # fmt: skip
        assert line in script
