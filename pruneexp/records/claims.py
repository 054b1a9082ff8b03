"""Who works on which cell of a folder of records, and what unfinished cells leave in it.

A process that works on a cell holds a lock on one byte of ``<results_dir>/.claims``, the byte numbered by the cell's hash: the operating
system lets go of it when the process dies, so there is no stale lock to clean up. ``<results_dir>/.<key>.checkpoint`` is where the
training of an unfinished cell goes on.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from pruneexp.errors import UnwritableError, UserError
from pruneexp.system import files as disk
from pruneexp.system.locks import is_held, lock

CHECKPOINT, WORKING, FAILED = UNFINISHED = (
    "checkpoint",
    "working",
    "failed",
)  # what is left of a cell without a record


class Claims:
    """The claims on the cells of a folder.

    Args:
        folder: made when the first cell is claimed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has_folder(self, key: str) -> bool:
        """Whether the finished cell's own folder is here, with its masks."""
        return os.path.lexists(self.folder / key / "record.json")

    @contextlib.contextmanager
    def claim(self, key: str, wait: bool = False) -> Iterator[bool]:
        """Hold a cell against other processes; yields False where another one holds it (or waits for it).

        Raises:
            UserError: the folder cannot be written.
        """
        with _locked(self.folder, int(key[-15:], 16), wait) as mine:
            if mine:
                for path in (self.folder / key, self.folder / key / "record.json", self.checkpoint(key)):
                    disk.remove_leftovers(path)  # of a process that was killed
            yield mine

    def is_claimed(self, key: str) -> bool:
        """Whether another process holds the cell; nothing is made for it."""
        with contextlib.suppress(OSError):
            return is_held(self.folder / ".claims", int(key[-15:], 16))
        return False

    def check_writable(self) -> None:
        """Raise UserError where the folder could not be made or written, as far as can be told without making it."""
        try:
            disk.check_writable(self.folder)
        except OSError as error:
            raise _unwritable(self.folder, error) from error

    def checkpoint(self, key: str) -> Path:
        """Where the training of a cell leaves its checkpoint until the cell is finished."""
        return self.unfinished(key, CHECKPOINT)

    def unfinished(self, key: str, kind: str) -> Path:
        """Where something of a cell is left that is not finished: one of `UNFINISHED`."""
        return self.folder / f".{key}.{kind}"

    def forget(self, key: str) -> None:
        """Delete what a finished cell had before, where some is left and can be deleted: nobody reads it any more."""
        for kind in UNFINISHED:
            with contextlib.suppress(OSError):
                self.unfinished(key, kind).unlink(missing_ok=True)

    def forget_finished(self) -> None:
        """Delete what finished cells had before, of processes that were killed just then."""
        with contextlib.suppress(OSError):
            for name in os.listdir(self.folder):
                key, _, kind = name.removeprefix(".").rpartition(".")
                if name.startswith(".") and kind in UNFINISHED and self.has_folder(key):
                    self.forget(key)


def ends_sweep(error: OSError) -> bool:
    """Whether nothing else can be written either."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG)


@contextlib.contextmanager
def _locked(folder: Path, byte: int, wait: bool) -> Iterator[bool]:
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            mine = stack.enter_context(lock(folder / ".claims", byte, wait))
        except OSError as error:
            raise _unwritable(folder, error) from error
        yield mine


def _unwritable(folder: Path, error: OSError) -> UserError:
    return UnwritableError(disk.unwritable(f"results_dir={folder}", error, "results_dir"))
