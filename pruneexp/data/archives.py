"""Archives unpacked without trust: what they hold is written by pruneexp itself, plain files and folders alone.

Neither `zipfile` nor `tarfile` bounds what an archive may grow to, and tarfile's filters are missing before Python 3.11.4. So nothing
is left to their ``extractall``: one loop, the same on every Python, looks at each member before it writes it.
"""

import gzip
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

# of the official archives Tiny-ImageNet's has the most members, 120,609, and they hold images: none grows to twice its size
MOST_MEMBERS = 200_000
MOST_GROWTH = 10
SMALL = 1 << 26  # bytes that any archive may grow to: tar fills up each member to 512
LONGEST = 255  # characters of a name, and of a folder's in it, as file systems have it
DAMAGED = (
    ValueError,
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
)


@dataclass(frozen=True)
class Member:
    """What an archive says of one of its files or folders."""

    name: str
    size: int
    kind: str  # "file", "folder", or what it must not be
    open: Callable[[], IO[bytes] | None]


def unpack(packed: BinaryIO, is_zip: bool, folder: Path) -> None:
    """Write what is in an archive into a folder.

    Args:
        packed: the .zip or .tar.gz, open for reading.
        is_zip: which of the two.
        folder: new and empty; what has been written when an error is raised stays there.

    Raises:
        ValueError, or another of `DAMAGED`: it is damaged, grows to more than `MOST_GROWTH` times its size, has more than
            `MOST_MEMBERS` members, or one that is neither file nor folder, is encrypted, or has a name that leads out of the folder, is
            too long, or is that of another but for its case.
        OSError: the disk cannot be written.
    """
    most = max(SMALL, MOST_GROWTH * packed.seek(0, 2))
    packed.seek(0)
    found: set[str] = set()
    grown = 0
    for number, member in enumerate((_zip if is_zip else _tar)(packed, most), start=1):
        if number > MOST_MEMBERS:
            raise ValueError(f"it has more than {MOST_MEMBERS} members")
        _check(member)
        grown += member.size
        if grown > most:
            raise ValueError(_too_large(most))
        target = folder / member.name
        if member.kind == "folder":
            target.mkdir(parents=True, exist_ok=True)
            continue
        if member.name.casefold() in found:
            raise ValueError(f"it has two members {_shown(member.name)}")
        found.add(member.name.casefold())
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file, member.open() or _nothing(member) as content:
            shutil.copyfileobj(content, file)


def _check(member: Member) -> None:
    parts = member.name.rstrip("/").split("/")
    if member.kind not in ("file", "folder"):
        raise ValueError(f"it holds {member.kind}, {_shown(member.name)}")
    if member.name.startswith("/") or ".." in parts or "\0" in member.name or not member.name:
        raise ValueError(f"it holds a name that leads out of its folder, {_shown(member.name)}")
    if len(member.name.encode(errors="surrogateescape")) > 4 * LONGEST or max(map(len, parts)) > LONGEST:
        raise ValueError(f"it holds a name that is too long, {_shown(member.name)}")


def _zip(packed: BinaryIO, most: int) -> Iterator[Member]:
    with zipfile.ZipFile(packed) as file:
        for info in file.infolist():
            mode = info.external_attr >> 16  # 0 where no Unix wrote it
            kind = (
                "folder" if info.is_dir() else "file" if stat.S_IFMT(mode) in (0, stat.S_IFREG) else "a link or device"
            )
            if info.flag_bits & 1:
                kind = "an encrypted file"
            yield Member(info.filename, info.file_size, kind, lambda info=info: file.open(info))  # type: ignore[misc]


def _tar(packed: BinaryIO, most: int) -> Iterator[Member]:
    with gzip.open(packed) as stream:
        size = 0
        # as far as the checksum at the end, for tarfile stops at a damaged header, and reads long ones whole
        while more := stream.read(1 << 20):
            if (size := size + len(more)) > most:
                raise ValueError(_too_large(most))
        stream.seek(0)
        with tarfile.open(fileobj=stream, mode="r:") as tar:
            for info in tar:
                plain = info.isreg() and not info.issparse()
                kind = (
                    "folder"
                    if info.isdir()
                    else "file"
                    if plain
                    else "a link"
                    if info.islnk() or info.issym()
                    else "a device"
                )
                yield Member(info.name, info.size, kind, lambda info=info: tar.extractfile(info))  # type: ignore[misc]
                tar.members.clear()  # type: ignore[attr-defined]  # it keeps all that it has seen


def _nothing(member: Member) -> IO[bytes]:
    raise ValueError(f"{_shown(member.name)} in it has no content")


def _too_large(most: int) -> str:
    return f"it grows to more than {most >> 20} MiB"


def _shown(name: str) -> str:
    """As Python writes it: without control characters."""
    return ascii(name if len(name) <= 60 else f"{name[:60]}...")
