"""What may lie in the place of a file."""

import contextlib
import os
import pickle
import random
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

HUGE = 10**10  # bytes, none of which is on the disk
HTML = b"<!DOCTYPE html><html><head><title>404</title></head><body>Not found</body></html>\n"


class Harm:
    """Unpickled, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


def bound(path: Path) -> None:
    """A socket; its path may be longer than a socket's."""
    with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s")
        os.rename("s", path.name)


def sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, HUGE)


def flipped(content: bytes) -> bytes:
    """With another last byte, which no longer fits a digest of them all."""
    return content[:-1] + bytes([content[-1] ^ 1])


KINDS: dict[str, Callable[[Path], object]] = {  # what is no file, or one that must not be read
    "FIFO": os.mkfifo,
    "directory": Path.mkdir,
    "/dev/zero": lambda path: path.symlink_to("/dev/zero"),
    "/dev/full": lambda path: path.symlink_to("/dev/full"),
    "socket": bound,
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "link loop": lambda path: path.symlink_to(path.name),
    "10 GB": sparse,
}
CONTENTS: dict[str, Callable[[bytes], bytes]] = {  # what a file holds in place of what it held
    "empty": lambda _: b"",
    "cut": lambda content: content[: len(content) // 2],
    "last byte": flipped,
    "random": lambda _: random.Random(0).randbytes(5000),
    "HTML": lambda _: HTML,
    "nested": lambda _: b"[" * 100_000,
}
PICKLE, LOCKED, FORGED, LONG = "pickle", "no permission", "forged", "long name"
NAMES = (*KINDS, *CONTENTS, PICKLE, LOCKED, FORGED, LONG)


def put(name: str, path: Path, harm: Path) -> None:
    """An oddity in the place of a sound file; of `PICKLE` one that would make the folder `harm`."""
    content = path.read_bytes()
    if name == LOCKED:
        path.chmod(0)
        return
    path.unlink()
    if name in KINDS:
        KINDS[name](path)
    else:
        path.write_bytes(pickle.dumps(Harm(harm)) if name == PICKLE else CONTENTS[name](content))


def open_to_all(folder: Path) -> None:
    """Let another user write everywhere in a folder."""
    for path in (folder.parent, folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o777 if path.is_dir() else 0o666)
