"""SIGTERM and SIGINT end a process in order: what is under way unwinds, and leaves what it has to leave.

The first signal raises `Stopped` in the main thread, between two of Python's instructions, or where a `shielded` block ends; a second
one ends the process at once. Handlers belong to a process, and so does what they remember.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from types import FrameType
from typing import Any

NUMBERS = (signal.SIGTERM, signal.SIGINT)
GRACE = 5.0  # seconds that a process has to leave what it has to leave
SAME = 0.2  # seconds in which a second signal is the first once more: timeout(1) sends it to a process and to its group


class Stopped(BaseException):
    """A signal has ended the work; no `except Exception` holds it up."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number

    @property
    def code(self) -> int:
        """The exit code that shells give to the signal."""
        return 128 + self.number


class _Heard:
    """What this process has heard."""

    number: int | None = None
    when = 0.0
    shields = 0
    again = True  # whether a second signal ends it at once


_heard = _Heard()


@contextlib.contextmanager
def heeded(again: bool = True, also: Sequence[int] = ()) -> Iterator[None]:
    """Have the signals raise `Stopped` in the block; one that is ignored, as by nohup, stays ignored. Only in the main thread.

    Args:
        again: whether a second signal ends the process at once; not where another process sees to that.
        also: further signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (*NUMBERS, *also)}
    _heard.number, _heard.shields, _heard.again = None, 0, again
    try:
        for number in before:
            if before[number] is not signal.SIG_IGN:
                signal.signal(number, _hear)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: not one of Python's
        _heard.number = None


@contextlib.contextmanager
def shielded() -> Iterator[None]:
    """A block that a signal does not interrupt; it is heeded when the block ends."""
    known = _heard.number
    _heard.shields += 1
    try:
        yield
    finally:
        _heard.shields -= 1
    if known is None:
        check()


def check() -> None:
    """Raise `Stopped` where a signal has come; what it raised may have been lost, in a destructor or another library's hands."""
    if _heard.number is not None and not _heard.shields:
        raise Stopped(_heard.number)


def end_in_order(processes: Iterable[subprocess.Popen[Any]]) -> None:
    """Send processes SIGTERM, and wait until they have ended, `GRACE` at most; to end those that have not is the caller's."""
    asked, until = list(processes), time.monotonic() + GRACE
    for process in asked:
        process.terminate()
    for process in asked:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, until - time.monotonic()))


def _hear(number: int, _: FrameType | None) -> None:
    if _heard.number is None:
        _heard.number, _heard.when = number, time.monotonic()
        check()
    elif _heard.again and time.monotonic() - _heard.when > SAME:
        os._exit(128 + number)
