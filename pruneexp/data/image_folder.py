"""A folder of classes, each a folder of images, as arrays."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pruneexp.data.dataset import Arrays
from pruneexp.data.images import Sample, leave_out, read_images
from pruneexp.errors import UserError
from pruneexp.system.files import is_folder

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm"}
Split = Callable[[str, int], np.ndarray]  # (class, number of its images) -> bool [number], true for test images


def image_folder(
    root: Path, side: int, classes: int | Sequence[str], split: Split, strict: bool = False, ignored: Sequence[str] = ()
) -> Arrays:
    """The images ``<root>/<class>/<file>`` as uint8 [N, 3, side, side], class k being the k-th in alphabetical order.

    The split is made among the file names in alphabetical order, before any file is opened: one that cannot be read is
    named and left out (see `read_images`) and moves no other. Files that are no images by their name are
    named and left out too; hidden ones are passed over.

    Args:
        root: the folder of classes.
        side: of the square images.
        classes: how many classes there must be, or which.
        split: which images of a class are for testing.
        strict: a file that is not a readable image is an error.
        ignored: folders that are no classes.

    Raises:
        UserError: no classes, not those there should be, one without images, or a file that cannot be read and `strict`.
    """
    train: list[Sample] = []
    test: list[Sample] = []
    for label, name in enumerate(classes_of(root, classes, ignored)):
        files = _files(root / name, strict)
        for path, for_test in zip(files, split(name, len(files)), strict=True):
            (test if for_test else train).append((path, label))
    return read_images({"train": train, "test": test}, side, strict)


def classes_of(
    root: Path, wanted: int | Sequence[str] | None, ignored: Sequence[str] = (), option: str = "data_dir"
) -> list[str]:
    """The folders in `root` that are not hidden, in alphabetical order: so many, or these, as they are wanted.

    Args:
        root: the folder.
        wanted: how many there must be, or which; None: any.
        ignored: folders that are no classes.
        option: that says where the folder lies.

    Raises:
        UserError: there is no such folder, none in it, or others.
    """
    if not is_folder(root, option):
        raise UserError(f"there is no folder of classes {root}.")
    names = (path.name for path in listed(root) if path.name not in ignored and not path.name.startswith("."))
    found = [name for name in names if is_folder(root / name, option)]
    if not found:
        raise UserError(f"{root} has no classes: each is a folder of images.")
    if isinstance(wanted, int):
        if len(found) != wanted:
            raise UserError(f"{root} has {len(found)} classes and should have {wanted}.")
    elif wanted is not None and found != sorted(wanted):
        raise UserError(f"{root} has the classes {', '.join(found)} and should have {', '.join(sorted(wanted))}.")
    return found


def _files(folder: Path, strict: bool) -> list[Path]:
    files: list[Path] = []
    for path in listed(folder):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            files.append(path)
        elif not path.name.startswith("."):
            leave_out(path, f"{path} is no image by its name.", strict)
    if not files:
        raise UserError(f"the class {folder.name} has no images: put some into {folder}, or remove it.")
    return files


def listed(folder: Path) -> list[Path]:
    """What is in a folder, in alphabetical order; raises UserError where nobody may look."""
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror}.") from error
