"""A user's command in a forked process: what it costs to start Python and to import torch is paid once."""

import contextlib
import gc
import importlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

Texts = tuple[Path, Path]  # where standard output and standard error go
LIMIT = 60.0  # seconds after which a command hangs
NEEDED = (
    "pruneexp.system.torchvision_compat", "pruneexp.cli", "pruneexp.running", "pruneexp.records.check", "pruneexp.planning.plan",
    "pruneexp.reports.report", "pruneexp.topology", "sklearn.datasets", "pruneexp.preflight", "pruneexp.program",
    "pruneexp.maskers.ramanujan_fit", "torch.export._trace", "networkx",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How a command ended: its exit code, minus a signal's number, or None where it had to be killed; what it said."""

    code: int | None
    out: str = ""
    err: str = ""


def imported() -> None:
    """Import what commands need, and run none of it: a fork must not find other threads at work."""
    for module in NEEDED:
        importlib.import_module(module)


def warm() -> None:
    """Make ready for forks: what is imported is imported, and is left alone by their garbage collection."""
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", COLUMNS="200")
    imported()
    from pruneexp.records.provenance import git_commit

    git_commit()  # the same for all that follows, whatever happens to the checkout
    gc.freeze()  # what is imported stays: no command's garbage collection need go through it


def composed(folder: Path, words: list[str]) -> None:
    """Have the commands with these words that are forked hereafter find their configurations composed, where these can be."""
    from pruneexp.errors import UserError
    from pruneexp.sweep import grids

    with contextlib.chdir(folder), contextlib.suppress(UserError):
        for grid in grids(words):
            _ = grid.whole


def forked(folder: Path, words: list[str], limit: float = LIMIT, before: Callable[[], None] = lambda: None) -> Outcome:
    """``python -m pruneexp`` with these words in `folder`; `before` is called in the process first."""
    texts = folder / "out.txt", folder / "err.txt"
    return ended(started(folder, words, texts, before), texts, limit)


def started(folder: Path, words: Sequence[str], texts: Texts, before: Callable[[], None] = lambda: None) -> int:
    """The same, not waited for: the process, which leads a group of its own; what it says goes to `texts`."""
    for text in texts:
        text.unlink(missing_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    if (child := os.fork()) == 0:
        os._exit(_child(folder, words, texts, before))
    return child


def ended(child: int, texts: Texts, limit: float = LIMIT) -> Outcome:
    """How a process that was `started` ends; after so many seconds its group is killed."""
    end = time.monotonic() + limit
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code: int | None = os.waitstatus_to_exitcode(status)
            break
        if time.monotonic() > end:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            code = None
            break
        time.sleep(0.01)
    out, err = (text.read_text(encoding="utf-8", errors="replace") if text.exists() else "" for text in texts)
    return Outcome(code, out, err)


def _child(folder: Path, words: Sequence[str], texts: Texts, before: Callable[[], None]) -> int:
    os.setsid()
    for number, text in enumerate(texts, start=1):
        handle = os.open(text, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o666)
        os.dup2(handle, number)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # as Python has it
    code: object = 1
    try:
        os.chdir(folder)
        sys.argv = ["pruneexp", *words]
        before()
        from pruneexp.cli import main

        main()
        code = 0
    except SystemExit as stopped:
        code = stopped.code or 0
        if isinstance(code, str):  # the interpreter prints it and exits with 1
            print(code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else 1


def killed_after(checkpoints: int) -> Callable[[], None]:
    """Something to do before a command: that it is killed when it has written so many checkpoints."""

    def patch() -> None:
        from pruneexp.training.checkpoint import Checkpoint

        write, written = Checkpoint._write, 0

        def and_die(self: Checkpoint, state: dict[str, object]) -> None:
            nonlocal written
            write(self, state)
            written += 1
            if written == checkpoints:
                os.kill(os.getpid(), signal.SIGKILL)

        Checkpoint._write = and_die  # type: ignore[method-assign]

    return patch
