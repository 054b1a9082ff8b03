"""Standard output, whatever becomes of it: closed, on a full disk, or a pipe that nobody reads any more."""

import contextlib
import io
import os
import signal
import sys
from collections.abc import Iterator

from pruneexp.system.signals import Stopped


class _Output(io.FileIO):
    """Descriptor 1. What cannot be written is lost, once said so: it holds up no training. Without a reader the program ends, as others
    do, in order."""

    def write(self, content: object) -> int:
        try:
            return super().write(content)  # type: ignore[arg-type]
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            if isinstance(error, BrokenPipeError):
                raise Stopped(signal.SIGPIPE) from error
            print(
                f"pruneexp: standard output cannot be written ({error.strerror}): what is said is lost.",
                file=sys.stderr,
            )
            return memoryview(content).nbytes  # type: ignore[arg-type]


def open_descriptors() -> None:
    """Have the descriptors 0, 1 and 2 open, which the next files that are opened would become otherwise, and be printed into."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest that is free
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))


@contextlib.contextmanager
def steady_output() -> Iterator[None]:
    """Standard output as `_Output` in the block; what somebody has put in its place, as tests do, stays."""
    before = sys.stdout
    if before is not sys.__stdout__ or not isinstance(before, io.TextIOWrapper):
        yield
        return
    before.flush()
    raw = io.BufferedWriter(_Output(1, "wb", closefd=False))
    sys.stdout = io.TextIOWrapper(raw, before.encoding, before.errors, line_buffering=before.line_buffering)
    try:
        yield
    finally:
        after, sys.stdout = sys.stdout, before
        with contextlib.suppress(ValueError):
            after.flush()
