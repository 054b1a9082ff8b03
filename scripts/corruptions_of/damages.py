"""The ways in which a file goes wrong."""

import json
import os
import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

Damage = Callable[[Path, Path, random.Random], None]  # a file, another one of its kind, where chance comes from
HUGE = "1" + "0" * 5000  # more digits than Python reads
VALUES: tuple[Any, ...] = (None, "text", [], {}, True, HUGE, 10**400, 1e308, float("inf"), float("nan"), -1, 1e9)
GONE = ("link", "deleted")  # what `content` says of a file that is not there
RAW = "in place of what json.dumps cannot write"


def flip_a_bit(path: Path, other: Path, draw: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[_place(content, draw)] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def flip_a_byte(path: Path, other: Path, draw: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[_place(content, draw)] ^= draw.randrange(1, 256)
    path.write_bytes(content)


def _place(content: bytearray, draw: random.Random) -> int:
    """Anywhere, or in its head, where formats say what they hold."""
    return draw.randrange(draw.choice([len(content), min(len(content), 128)]))


def change_a_digit(path: Path, other: Path, draw: random.Random) -> None:
    text = path.read_text(encoding="utf-8")
    at = draw.choice([match.start() for match in re.finditer(r"\d", text)])
    path.write_text(
        text[:at] + draw.choice([d for d in "0123456789" if d != text[at]]) + text[at + 1 :], encoding="utf-8"
    )


def swap(path: Path, other: Path, draw: random.Random) -> None:
    mine, theirs = path.read_bytes(), other.read_bytes()
    path.write_bytes(theirs)
    other.write_bytes(mine)


def truncate(path: Path, other: Path, draw: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: draw.randrange(1, len(content))])


def append(path: Path, other: Path, draw: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content + draw.choice([b"\n", b"\0", b"x", draw.randbytes(64), content]))


def empty(path: Path, other: Path, draw: random.Random) -> None:
    path.write_bytes(b"")


def replace_a_value(path: Path, other: Path, draw: random.Random) -> None:
    """By one of another type or size; null, a string, a list, an object, huge, not a number, negative."""

    def change(tree: Any) -> str:
        holder, name = draw.choice(list(_places(tree)))
        value = draw.choice([v for v in VALUES if json.dumps(v) != json.dumps(holder[name])])
        holder[name] = RAW if value is HUGE else value
        return json.dumps(tree).replace(f'"{RAW}"', HUGE)

    _edit(path, draw, change)


def delete_a_field(path: Path, other: Path, draw: random.Random) -> None:
    def change(tree: Any) -> str:
        holder, name = draw.choice([place for place in _places(tree) if isinstance(place[0], dict)])
        del holder[name]
        return json.dumps(tree)

    _edit(path, draw, change)


def swap_keys(path: Path, other: Path, draw: random.Random) -> None:
    """Of the first two records in a file of records."""
    first, second, *rest = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    first["key"], second["key"] = second["key"], first["key"]
    path.write_text("".join(json.dumps(record) + "\n" for record in [first, second, *rest]), encoding="utf-8")


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every value below, as what holds it and its name there."""
    for name, value in list(tree.items() if isinstance(tree, dict) else enumerate(tree)):
        yield tree, name
        if isinstance(value, (dict, list)):
            yield from _places(value)


def _edit(path: Path, draw: random.Random, change: Callable[[Any], str]) -> None:
    """Change a JSON file, or one line of a file of records."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        lines = text.splitlines()
        line = draw.randrange(len(lines))
        lines[line] = change(json.loads(lines[line]))
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    else:
        path.write_text(change(json.loads(text)) + "\n", encoding="utf-8")


def permute(path: Path, other: Path, draw: random.Random) -> None:
    labels = np.load(path)
    np.save(path, np.random.default_rng(draw.randrange(2**32)).permutation(labels))


def train_for_test(path: Path, other: Path, draw: random.Random) -> None:
    """Training images or labels in place of the test ones, as many or all; with all of one also all of the other."""
    whole = draw.random() < 0.5
    for name in ("images", "labels") if whole else (path.stem.partition("_")[2],):
        train, test = (np.load(path.with_name(f"{split}_{name}.npy")) for split in ("train", "test"))
        np.save(path.with_name(f"test_{name}.npy"), train if whole else train[: len(test)])


def make_it_a_fifo(path: Path, other: Path, draw: random.Random) -> None:
    path.unlink()
    os.mkfifo(path)


def make_it_a_folder(path: Path, other: Path, draw: random.Random) -> None:
    path.unlink()
    path.mkdir()
    if draw.random() < 0.5:
        (path / "file").touch()


def make_it_a_dangling_link(path: Path, other: Path, draw: random.Random) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def delete(path: Path, other: Path, draw: random.Random) -> None:
    path.unlink()


ANY: dict[str, Damage] = {
    "bit": flip_a_bit,
    "byte": flip_a_byte,
    "truncated": truncate,
    "appended": append,
    "emptied": empty,
    "fifo": make_it_a_fifo,
    "folder": make_it_a_folder,
    "link": make_it_a_dangling_link,
    "deleted": delete,
}
SWAPPED: dict[str, Damage] = {"swapped": swap}
DIGIT: dict[str, Damage] = {"digit": change_a_digit}
JSON: dict[str, Damage] = {**DIGIT, "value": replace_a_value, "field": delete_a_field}
KEYS: dict[str, Damage] = {"keys": swap_keys}
PERMUTED: dict[str, Damage] = {"permuted": permute}
TRAIN: dict[str, Damage] = {"train": train_for_test}


def content(path: Path) -> str:
    """What the file says, so that two ways to write it are one: JSON without its spaces, arrays by type, shape and values.

    A file that cannot be read so says its bytes; what is no file says what it is.
    """
    if path.is_symlink() or not path.is_file():
        return "link" if path.is_symlink() else "folder" if path.is_dir() else "fifo" if path.exists() else "deleted"
    raw = path.read_bytes()
    try:
        if path.suffix == ".json":
            return json.dumps(json.loads(raw), sort_keys=True)
        if path.suffix == ".jsonl":
            return str(
                sorted({json.dumps(json.loads(line), sort_keys=True) for line in raw.splitlines() if line.strip()})
            )
        if path.suffix == ".npy":
            array = np.load(path)
            return f"{array.dtype} {array.shape} {array.tobytes()!r}"
    except Exception:
        pass
    return repr(raw)


def copied(folder: Path, to: Path) -> None:
    """A fresh copy of a folder."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(folder, to, symlinks=True)
