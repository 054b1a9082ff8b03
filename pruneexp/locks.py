"""Locks between processes that the operating system lets go of when a process dies."""

import contextlib
import fcntl
import functools
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def lock(path: Path, byte: int = 0, wait: bool = True) -> Iterator[bool]:
    """Hold one byte of a file against other processes; yields False where another one holds it (or waits for it).

    A POSIX lock needs no clean-up, whatever kills its process. Within one process it excludes nothing, and closing any
    handle of the file would let go of all the process's locks on it: the one handle stays open.

    Raises:
        OSError: the file cannot be made, or its file system has no locks.
    """
    path.touch(exist_ok=True)
    handle = _open_once(str(path.resolve()), path.stat().st_ino)
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, byte)
    except (BlockingIOError, PermissionError):
        yield False
        return
    try:
        yield True
    finally:
        fcntl.lockf(handle, fcntl.LOCK_UN, 1, byte)


@functools.cache
def _open_once(path: str, inode: int) -> int:
    """The process's handle of a file; `inode` tells a new file of the same name from one that was deleted."""
    return os.open(path, os.O_RDWR)


@contextlib.contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold a folder itself against other processes, waiting for it; leaves no file behind.

    Raises:
        OSError: the folder cannot be opened.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems lock no folders: go on without
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
