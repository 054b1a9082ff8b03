"""Data sets of one's own, of which nothing is known before they are looked at."""

import functools
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from pruneexp.cell import digest
from pruneexp.data.dataset import Arrays, Dataset, Deviations, Means, check_channels, sealed, stored
from pruneexp.errors import UserError
from pruneexp.system import files
from pruneexp.system.console import say

CHUNK = 1 << 24  # numbers that are summed at once


def own(
    data_dir: str | Path,
    name: str,
    root: str,
    fingerprint: Callable[[str], str],
    options: Mapping[str, object],
    read: Callable[[], Arrays],
    validation: int,
    mean: Means | None,
    std: Deviations | None,
) -> Dataset:
    """What lies in `root`, made once into arrays in ``<data_dir>/<name>-<digest of what lies there and of the options>``.

    So two folders never share arrays, and changed files, or other options, make others. Classes, channels and size are the arrays'; mean
    and standard deviation those of the training images unless given.

    Args:
        data_dir: of all data sets.
        name: that people call it by.
        root: where it lies.
        fingerprint: the digest of what lies there.
        options: what else the arrays depend on, as JSON.
        read: gives the arrays.
        validation, mean, std: as for `pruneexp.data.dataset.load`.

    Raises:
        UserError: as for `load`, or something was written to `root` while it was read.
    """
    content = fingerprint(root)
    folder = Path(data_dir) / f"{name}-{digest({'content': content, **options})}"

    def source(data_dir: Path, name_of_arrays: str) -> Arrays:
        arrays = read()
        if fingerprint(root) != content:
            raise UserError(
                f"dataset.root={root} was changed while it was read: try again once nothing is written there."
            )
        _tell(folder, name, arrays)
        return arrays

    arrays = stored(folder, source)
    check_channels(arrays["train_images"].shape[1], mean=mean, std=std)
    found = statistics(arrays["train_images"]) if mean is None or std is None else ((), ())
    classes = int(arrays["train_labels"].max()) + 1
    made = Dataset(
        name=name, classes=classes, mean=mean or found[0], std=std or found[1], validation=validation, **arrays
    )
    return sealed(folder, made)


def _tell(folder: Path, name: str, arrays: Arrays) -> None:
    """Say what was found, and whether other arrays of that name are there."""
    images, tests = arrays["train_images"], arrays["test_images"]
    channels, height, width = images.shape[1:]
    classes = int(arrays["train_labels"].max()) + 1
    counts = f"{classes} classes, {len(images):,} training and {len(tests):,} test images"
    say(name, f"{counts} of {channels}x{height}x{width}, kept in {folder}.")
    own = re.compile(re.escape(name) + r"-[0-9a-f]{16}")
    if others := sorted(path for path in folder.parent.iterdir() if own.fullmatch(path.name) and path != folder):
        say(name, f"what {others[-1]} was made of was another content or had other options: its cells are others.")


def statistics(images: np.ndarray) -> tuple[Means, Deviations]:
    """Mean and standard deviation of each channel, of pixel values in [0, 1].

    With n pixels of sum s and sum of squares q in 0 ... 255 they are s / (255 n) and sqrt(n q - s^2) / (255 n), s and q exact. A channel
    that is the same everywhere says nothing, whatever it is divided by: its deviation is 1.

    Args:
        images: uint8 [N, C, H, W].
    """
    count = images[:, 0].size
    rows = max(1, CHUNK // images[0].size)
    sums, squares = [0] * images.shape[1], [0] * images.shape[1]
    for start in range(0, len(images), rows):
        some = images[start : start + rows]
        for channel in range(images.shape[1]):
            part = some[:, channel]
            sums[channel] += int(part.sum(dtype=np.uint64))
            squares[channel] += int(np.multiply(part, part, dtype=np.uint16).sum(dtype=np.uint64))
    mean = tuple(total / (255 * count) for total in sums)
    spread = [(count * square - total**2) for total, square in zip(sums, squares, strict=True)]
    return mean, tuple(value**0.5 / (255 * count) or 1.0 for value in spread)


def digest_of_files(paths: Iterable[tuple[str, Path]]) -> str:
    """SHA-256 over names and contents of files, in this order; of a file that nobody can read its name alone.

    Args:
        paths: each with the name that stands for it, wherever it lies.
    """
    return _digest(tuple((name, path, *_state(path)) for name, path in paths))


def _state(path: Path) -> tuple[int, int, int]:
    """What changes with a file; zeros where there is none."""
    try:
        state = path.stat()
    except OSError:
        return 0, 0, 0
    return state.st_mtime_ns, state.st_size, state.st_ino


@functools.lru_cache(maxsize=8)
def _digest(states: tuple[tuple[str, Path, int, int, int], ...]) -> str:
    whole = hashlib.sha256()
    for name, path, *_ in states:
        try:
            with files.opened(path) as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            content = "unreadable"
        whole.update(f"{name}\0{content}\n".encode(errors="surrogateescape"))
    return f"sha256:{whole.hexdigest()[:16]}"
