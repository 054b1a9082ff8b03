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

    Where a folder is shared, the file may be another user's who let nobody else write it, and the system gives an exclusive lock only to
    those who may. The others take a shared lock on the byte, which excludes those who may, and to exclude one another an exclusive lock in
    a second file beside it, ``<name>+``; that may again be somebody's own, and so on. Two processes that hold a byte would have to be two
    that may write a file, or one that may and one that may not, or two that may not and hold the byte in the next: none can be.

    Raises:
        OSError: the file cannot be made or read, or its file system has no locks.
    """
    with contextlib.suppress(
        FileExistsError
    ):  # one that is there is not opened and closed again: that would let go of its locks
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666))
    handle, may_write = _opened(path)
    if not _locked(handle, fcntl.LOCK_EX if may_write else fcntl.LOCK_SH, byte, wait):
        yield False
        return
    try:
        if may_write:
            yield True
        else:
            with lock(_beside(path), byte, wait) as mine:
                yield mine
    finally:
        fcntl.lockf(handle, fcntl.LOCK_UN, 1, byte)


def is_held(path: Path, byte: int = 0) -> bool:
    """Whether another process holds the byte by `lock`; needs no right to write, and makes nothing.

    This process must not hold it, and would let go of it.

    Raises:
        OSError: the file cannot be read, or its file system has no locks.
    """
    if not os.path.lexists(path):
        return False
    handle, _ = _opened(path)
    if not _locked(handle, fcntl.LOCK_SH, byte, wait=False):
        return True
    fcntl.lockf(handle, fcntl.LOCK_UN, 1, byte)
    return is_held(_beside(path), byte)


def _locked(handle: int, how: int, byte: int, wait: bool) -> bool:
    try:
        fcntl.lockf(handle, how | (0 if wait else fcntl.LOCK_NB), 1, byte)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}+")


def _opened(path: Path) -> tuple[int, bool]:
    """The process's handle of a file, and whether it may write it."""
    return _open_once(str(path.parent.resolve() / path.name), os.lstat(path).st_ino)


@functools.cache
def _open_once(path: str, inode: int) -> tuple[int, bool]:
    """`inode` tells a new file of the same name from one that was deleted."""
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(path, os.O_RDWR | flags), True
    except OSError:  # not this user's to write, or on a disk that is read only
        return os.open(path, os.O_RDONLY | flags), False


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
