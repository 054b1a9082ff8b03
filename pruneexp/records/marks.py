"""What is known of cells that have no record yet: who works on one and since when, and why one could not be made.

``.<key>.working`` lies in the folder while a process works on the cell, ``.<key>.failed`` from a failure until the cell is recorded. The
first alone proves nothing, for a killed process leaves it: the process's claim does. Nothing but ``mode=status`` reads them. They name the
machine, so that people find the process, and are deleted when the cell is done.
"""

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pruneexp.records.claims import FAILED, WORKING
from pruneexp.records.store import Store
from pruneexp.system import files


@dataclass(frozen=True)
class Mark:
    """One such file.

    Attributes:
        kind: ``working`` or ``failed``.
        when: it was written, local time to the second.
        by: the process and its machine.
        why: a cell could not be made.
    """

    kind: str
    when: str
    by: str
    why: str = ""


@contextlib.contextmanager
def working(store: Store, key: str) -> Iterator[None]:
    """Leave word in the block that this process works on the cell, whose claim it holds."""
    path = store.unfinished(key, WORKING)
    _leave(path, "")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def failed(store: Store, key: str, why: str) -> None:
    """Leave word of why the cell could not be made."""
    _leave(store.unfinished(key, FAILED), why)


def mark_of(store: Store, key: str) -> Mark | None:
    """What is known of a cell that has no record; that someone works on it only while someone does."""
    mark = _read(store, key, WORKING)
    if mark is not None and store.is_claimed(key):
        return mark
    return _read(store, key, FAILED)


def _leave(path: Path, why: str) -> None:
    by = f"process {os.getpid()} on {socket.gethostname()}"
    said = {"when": datetime.now().isoformat(" ", "seconds"), "by": by, "why": why}
    with contextlib.suppress(OSError):  # it helps people, and nothing depends on it
        files.write(path, json.dumps(said))


def _read(store: Store, key: str, kind: str) -> Mark | None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        said: dict[str, Any] = json.loads(files.read(store.unfinished(key, kind)))
        return Mark(kind, str(said["when"]), str(said["by"]), str(said["why"]))
    return None
