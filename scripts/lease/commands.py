"""Commands that end when their time is over, with all the processes that they have started."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from pruneexp.system.signals import shielded

ROOT = Path(__file__).resolve().parents[2]
OFTEN = 0.2  # seconds between two looks


@contextlib.contextmanager
def started(
    command: Sequence[str],
    errors: Path,
    output: Path | None = None,
    environment: Mapping[str, str] | None = None,
    grace: float = 1.0,
) -> Iterator[subprocess.Popen[bytes]]:
    """A Python command, in a process group of its own that ends with the block.

    Args:
        command: what follows ``python``; run in the checkout's folder.
        errors: gets what it says on standard error.
        output: gets what it prints; `errors` unless given.
        environment: added to this process's.
        grace: seconds between SIGTERM and SIGKILL.
    """
    words = [sys.executable, "-m", "scripts.lease.bound", sys.executable, *command]
    variables = {**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})}
    process = None
    try:
        with errors.open("ab") as log, (output or errors).open("ab") as printed, shielded():
            process = subprocess.Popen(
                words, cwd=ROOT, env=variables, stdin=subprocess.DEVNULL, stdout=printed, stderr=log, process_group=0
            )
        yield process
    finally:
        if process is not None:
            with shielded():
                _end(process, grace)


def watch(process: subprocess.Popen[bytes], seconds: float, look: Callable[[], bool] = lambda: False) -> int | None:
    """The exit code of the process; None where it has not ended in time, or `look`, called again and again, has had enough."""
    until = time.monotonic() + seconds
    while (code := _exit_code(process)) is None:
        if look() or time.monotonic() > until:
            return None
        time.sleep(OFTEN)
    return code


def _exit_code(process: subprocess.Popen[bytes]) -> int | None:
    """Its exit code, minus a signal's number, once it has ended; until it is waited for its number stays its group's."""
    ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if ended is None:
        return None
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


def _end(process: subprocess.Popen[bytes], grace: float) -> None:
    """SIGTERM to the group; then SIGKILL to what is left of it, also where the process itself has ended by itself."""
    until = time.monotonic() + grace
    if _exit_code(process) is None:
        os.killpg(process.pid, signal.SIGTERM)
    while _exit_code(process) is None and time.monotonic() < until:
        time.sleep(OFTEN / 4)
    os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):  # a driver can hold a process that nothing ends
        process.wait(5)
