"""Files and folders that are there completely or not at all, whatever kills the process that writes them.

What is written goes under a scratch name beside its place, ``.<name>.<16 random digits>.partial``, is flushed to the disk
and renamed. Nobody can guess the name and plant a link under it in a folder that is shared; nor can two writers of one file
mix their contents. A killed process leaves its scratch behind: `remove_leftovers` is for whoever holds the lock that
keeps other writers away.
"""

import contextlib
import errno
import glob
import hashlib
import io
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from pruneexp.errors import UserError, reason

KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}

MOST = 1 << 30  # bytes of a file that is taken as it is: records and tables have a thousandth of it
LARGEST = 1 << 33  # and of one whose digest is known: a network of a billion weights and its momentum

REMEDIES = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "delete what you need no more there, ask for a larger quota",
    errno.EFBIG: "raise the limit of a file's size (ulimit -f)",
    errno.EACCES: "ask its owner for the permission",
    errno.EPERM: "ask the owner of what is there to move it out of the way",  # in a folder with a sticky bit
    errno.EROFS: "have the file system mounted for writing",
    errno.EIO: "look whether the disk is failing",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "have fewer files open on this machine",
    errno.ENOMEM: "have fewer programs running on this machine",
    errno.ENOLCK: "have locks enabled on the file system",
    errno.ENAMETOOLONG: "take a shorter name",
    errno.ENOENT: "make the folder first",
} | dict.fromkeys(
    (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY, errno.ELOOP, errno.ENXIO, errno.EINVAL),
    "move what is in the way elsewhere",
)  # fmt: skip


def remedy(error: OSError, option: str = "") -> str:
    """What people can do where a file cannot be written or read, for the end of a sentence that says what went wrong.

    Args:
        error: that the system gave.
        option: by which another folder can be chosen.

    >>> remedy(OSError(errno.ENOSPC, "No space left on device"), "results_dir")
    'make room there, or take another folder with results_dir=PATH'
    >>> remedy(OSError(errno.ESTALE, "Stale file handle"))
    'try again later'
    """
    known = REMEDIES.get(error.errno or 0)
    other = f"take another folder with {option}=PATH" if option else ""
    return ", or ".join(filter(None, (known, other))) or "try again later"


def unwritable(what: object, error: OSError, option: str = "") -> str:
    """The sentence for a file or folder, of which `option` would choose another; where nothing names it ``None``."""
    return (
        f"{'a file' if what is None else what} cannot be written ({error.strerror or error}): {remedy(error, option)}."
    )


def unreadable(what: object, error: OSError, option: str = "") -> str:
    """The sentence for a file or folder, of which `option` would choose another, that may be as it should be."""
    return f"{what} cannot be read ({reason(error)}): {remedy(error, option)}."


def kind_of(path: str | Path, option: str = "") -> int:
    """What is there, as `stat.S_IFMT` tells kinds, of a link what it leads to; 0 where there is nothing.

    os.path.exists and isdir say no also where nobody can know, as in a folder without permission.

    Args:
        path: of whatever it is.
        option: by which another can be chosen.

    Raises:
        UserError: nobody can know.
    """
    try:
        return stat.S_IFMT(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # no name has a null byte
        return 0
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link that leads nowhere
            return 0
        raise UserError(unreadable(path, error, option)) from error


def is_folder(path: str | Path, option: str = "") -> bool:
    """Whether a folder is there; as `kind_of`."""
    return kind_of(path, option) == stat.S_IFDIR


def is_file(path: str | Path, option: str = "") -> bool:
    """Whether a regular file is there; as `kind_of`."""
    return kind_of(path, option) == stat.S_IFREG


def no_room(error: OSError) -> bool:
    """Whether deleting something would have helped."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def check_writable(folder: Path) -> None:
    """Look whether a folder could be made, or written, without making it: a folder for a moment is all.

    Raises:
        OSError: it could not.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.lstat(folder)  # a name that is too long can be made nowhere
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    number = 0
    if not there.is_dir():
        number = errno.ENOTDIR
    elif not os.access(there, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        number = errno.EROFS if os.statvfs(there).f_flag & os.ST_RDONLY else errno.EACCES
    if number:
        raise OSError(number, os.strerror(number), str(folder))
    try:
        os.rmdir(tempfile.mkdtemp(prefix=".", dir=there))  # /proc says that it can be written
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error


def write(path: Path, content: bytes | memoryview | str) -> None:
    """Make `content`, text as UTF-8, that of the file: all or nothing.

    Raises:
        OSError: it cannot be written; what was there before is as it was.
    """
    with writing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def write_without(spare: Path, leave: Callable[[], None]) -> None:
    """Call `leave`, which writes something; where there is no room, once more without a file that is worth less.

    Raises:
        OSError: there is no room even so, or it cannot be written; the file is as it was.
    """
    try:
        return leave()
    except OSError as error:
        if not no_room(error) or not spare.exists():
            raise
    content = contents(spare, LARGEST)[0]
    spare.unlink()
    try:
        leave()
    except OSError:
        with contextlib.suppress(OSError):
            write(spare, content)
        raise


def write_sealed(path: Path, content: bytes | memoryview) -> None:
    """As `write`, with the content's SHA-256 before it: `read_sealed` tells damage from what was written.

    Raises:
        OSError: it cannot be written; what was there before is as it was.
    """
    with writing(path) as file:
        file.write(hashlib.sha256(content).digest())
        file.write(content)


def read_sealed(path: Path) -> bytes:
    """What `write_sealed` wrote.

    Raises:
        OSError: missing, not readable, no regular file, or larger than `LARGEST`.
        ValueError: damaged.
    """
    with opened(path) as file:
        return _with_digest(file, file.read(32))


def read_known(path: Path, digest: str) -> bytes:
    """The contents of a regular file whose SHA-256, in hexadecimal, is known.

    Raises:
        OSError: missing, not readable, no regular file, or larger than `LARGEST`.
        ValueError: it has another digest.
    """
    with opened(path) as file:
        return _with_digest(file, bytes.fromhex(digest))


def _with_digest(file: io.BufferedReader, digest: bytes) -> bytes:
    """The rest of a file, of which nothing is kept before it is known to be what it should be."""
    check_size(os.fstat(file.fileno()), LARGEST)
    start = file.tell()
    if hashlib.file_digest(file, "sha256").digest() != digest:
        raise ValueError(f"{file.name} is damaged")
    file.seek(start)
    return file.read()


@contextlib.contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """An open file that takes the place of `path` when the block ends, and is deleted when the block raises.

    Raises:
        OSError: it cannot be written; what was there before is as it was.
    """
    scratch = _scratch(path)
    try:
        # 0666 less the umask, as for any other file: who may read the folder may read what is in it
        handle = os.open(scratch, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            scratch.unlink()
        if isinstance(error, OSError) and error.filename in (None, str(scratch)):
            error.filename = str(path)  # a write's error names no file
        raise
    _sync(path.parent)


@contextlib.contextmanager
def new_folder(path: Path, replace: bool = False) -> Iterator[Path]:
    """A scratch folder that takes the place of `path` when the block ends, and is deleted when the block raises.

    Args:
        path: missing, or an empty folder.
        replace: a folder that is in the way is deleted.

    Raises:
        OSError: it cannot be made, or something is in the way.
    """
    with scratch_folder(path) as scratch:
        yield scratch
        if replace:
            shutil.rmtree(path, ignore_errors=True)
        os.rename(scratch, path)
        _sync(path.parent)


@contextlib.contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """A folder beside `path`, deleted when the block ends; `leftovers` of `path` finds those of killed processes.

    Raises:
        OSError: it cannot be made.
    """
    scratch = _scratch(path)
    try:
        os.mkdir(scratch)  # 0777 less the umask
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def leftovers(path: Path) -> list[Path]:
    """The scratch files and folders of this very name; those of killed processes where nobody else may be writing."""
    return sorted(path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 16}.partial"))


def remove_leftovers(path: Path) -> None:
    """Delete the leftovers of this very name, as far as they can be; the caller keeps other writers of it away."""
    for left in leftovers(path):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                left.unlink()


def read(path: Path) -> bytes:
    """The contents of a regular file.

    Raises:
        OSError: missing, not readable, no regular file, or larger than `MOST`.
    """
    return contents(path)[0]


def opened(path: Path) -> io.BufferedReader:
    """A regular file, open for reading: it never waits for a FIFO's writer and never reads a device.

    Raises:
        OSError: missing, not readable, or no regular file.
    """
    return os.fdopen(_opened(path)[0], "rb")


def contents(path: str | Path, most: int = MOST) -> tuple[bytes, os.stat_result]:
    """What is in a regular file, and its state when it was opened: of thousands of small ones in half the time of `opened`.

    Raises:
        OSError: missing, not readable, no regular file, or larger than so many bytes.
    """
    handle, state = _opened(path)
    try:
        check_size(state, most)
        content = os.read(handle, state.st_size)
        while more := os.read(handle, max(state.st_size - len(content), 1 << 16)):
            content += more
    finally:
        os.close(handle)
    return content, state


def check_size(state: os.stat_result, most: int) -> None:
    """Nothing, for whoever reads a whole file.

    Raises:
        OSError: it is larger than so many bytes.
    """
    if state.st_size > most:
        raise OSError(errno.EINVAL, f"is larger than {most >> 30} GiB, which no such file is")


def _opened(path: str | Path) -> tuple[int, os.stat_result]:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    state = os.fstat(handle)
    kind = stat.S_IFMT(state.st_mode)
    if kind != stat.S_IFREG:
        os.close(handle)
        number = errno.EISDIR if kind == stat.S_IFDIR else errno.EINVAL
        raise OSError(number, f"is {KINDS.get(kind, 'something else')}, not a file", str(path))
    return handle, state


def regular(path: Path) -> None:
    """Nothing, for whoever opens a file by its name, as a memory map does.

    Raises:
        OSError: missing, not readable, or no regular file.
    """
    opened(path).close()


def _scratch(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")


def _sync(folder: Path) -> None:
    """Put a rename on the disk, where the file system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
