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
    with contextlib.suppress(
        FileExistsError
    ):  # one that is there is not opened and closed again: that would let go of its locks
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666))
    handle = _open_once(str(path.parent.resolve() / path.name), os.lstat(path).st_ino)
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
    return os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


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
