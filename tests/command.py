"""The command line as a user types it: in a process of its own or, where a start-up would cost too much, in a fork of this one or in it."""

import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import scipy.linalg  # noqa: F401  (its BLAS must be there to be limited)
from threadpoolctl import threadpool_limits

from pruneexp.cli import main
from scripts.corruptions_of import commands

ROOT = Path(__file__).resolve().parents[1]
# figures are drawn where a test looks at them
SMALL = (
    "recipe=smoke", "recipe.train_images=128", "recipe.test_images=64", "logger=none", "trainer.threads=1", "figure=[]",
)  # fmt: skip
# two jobs, sparsify and greedy, of one dense and one pruned cell; the dense one is the same
LAUNCHED = (*SMALL, "recipe.epochs=6", "trainer.checkpoint_seconds=0.01", "seed=0", "densities=[1.0,0.1]")
STEM = "quickstart-recipe=smoke+recipe.test_images=64+recipe.train_images=128"  # what reports of it are called
TABLES = "results/runs/reports/tables"


@dataclass(frozen=True)
class Outcome:
    """What a command left on the terminal."""

    code: int
    out: str
    err: str


def environment() -> dict[str, str]:
    """This checkout first, one thread, and what is compiled kept for the processes that follow."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "160"}


Run = Callable[..., Outcome]


def command(folder: Path, *arguments: str, interpreter: tuple[str, ...] = ("-m", "pruneexp")) -> Outcome:
    """``python -m pruneexp`` in a process of its own, run in `folder`."""
    done = subprocess.run(
        [sys.executable, *interpreter, *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def _alone() -> None:
    """In a fork: other threads than the one that forked are not there."""
    import torch

    torch.set_num_threads(1)
    os.environ.update(environment())


def started(folder: Path, texts: Path, *arguments: str, before: Callable[[], None] = lambda: None) -> int:
    """The number of a process that runs the command in `folder`: a fork of this one, which has imported what it needs.

    It leads a group of its own. What it says goes to two files of the folder `texts`.
    """
    commands.imported()

    def first() -> None:
        _alone()
        before()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, from Python 3.12 on
        return commands.started(folder, arguments, (texts / "out", texts / "err"), first)


def ended(process: int, texts: Path, limit: float = 600) -> Outcome:
    """What a process that was `started` left on its terminal."""
    done = commands.ended(process, (texts / "out", texts / "err"), limit)
    assert done.code is not None, done
    return Outcome(done.code, done.out, done.err)


def in_fork(folder: Path, *arguments: str, before: Callable[[], None] = lambda: None) -> Outcome:
    """`command` in a fork of this process; `before` is called in it first."""
    with tempfile.TemporaryDirectory() as texts:
        return ended(started(folder, Path(texts), *arguments, before=before), Path(texts))


def in_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> Outcome:
    """The same in this process, on one thread and without Hydra's log files."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("hydra.core.utils.configure_log", lambda *settings: None)
    monkeypatch.setattr(sys, "argv", ["pruneexp", *arguments])
    capsys.readouterr()
    with threadpool_limits(1), pytest.raises(SystemExit) as stopped:
        main()
    code = stopped.value.code
    if isinstance(code, str):  # the interpreter prints it and exits with 1
        print(code, file=sys.stderr)
        code = 1
    text = capsys.readouterr()
    return Outcome(code or 0, text.out, text.err)


def with_workers(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *more: str) -> Run:
    """``run(overrides...)``: `in_process` with these words at its end; the processes that it starts find this checkout."""
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    return lambda *arguments: in_process(folder, monkeypatch, capsys, *arguments, *more)


def refused(outcome: Outcome, told: str, folder: Path) -> None:
    """A mistake was answered in one sentence, before anything was made in the folder."""
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("pruneexp: ")
    assert outcome.err.count("\n") == 1
    assert told in outcome.err
    assert list(folder.iterdir()) == []


def files(folder: Path) -> list[str]:
    """Every file and empty folder below `folder`, the lock file aside."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.name != ".claims" and not (path.is_dir() and any(path.iterdir()))
    )
