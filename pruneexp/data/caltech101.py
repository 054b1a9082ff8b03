"""Caltech-101 from its official archive."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from pruneexp.components.options import component
from pruneexp.data.dataset import Arrays
from pruneexp.data.image_folder import image_folder
from pruneexp.data.images import Side, check_name
from pruneexp.data.official import official, unpacked
from pruneexp.errors import UserError
from pruneexp.seeding import stream
from pruneexp.system.files import is_folder, kind_of

URL = "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip"
MD5 = "3138e1922a9193bfa496528edbbc45d0"
FOLDER, TAR = "101_ObjectCategories", "101_ObjectCategories.tar.gz"
CLASSES = 101
PER_CLASS = 30


@component("source")
def caltech101(data_dir: Path, name: str, side: Side, strict: bool = False) -> Arrays:
    """Caltech-101 (Fei-Fei, Fergus & Perona 2004) without its background class, as uint8 [N, 3, side, side].

    Read from ``<data_dir>/101_ObjectCategories/<class>/*.jpg``, ``<data_dir>/101_ObjectCategories.tar.gz`` or
    ``<data_dir>/caltech-101.zip``, downloaded where missing. There is no official split; as usual, 30 images of each class are for training
    (3,030) and the others for testing. They are drawn by the streams (0, "caltech101 split", class), the same for every job.

    Args:
        data_dir: where the official files are.
        name: of the data set, which tells its side.
        side: of the square images; the data set's image_shape follows it.
        strict: a file that cannot be read is an error; otherwise it is named and left out.

    Raises:
        UserError: missing and not downloadable, damaged, not 101 classes of more than 30 images, or a file that cannot
            be read and `strict`.
    """
    check_name(name, "caltech101", side)
    with _categories(data_dir, name) as root:
        return image_folder(root, side, CLASSES, _split, strict, ignored=("BACKGROUND_Google",))


@contextlib.contextmanager
def _categories(data_dir: Path, name: str) -> Iterator[Path]:
    """The folder of classes; the official zip, whose MD5 is looked at, holds it in a tar.

    That tar has no digest that is looked at, also where it lies in `data_dir` by itself: like any archive it is unpacked without trust.
    """
    with contextlib.ExitStack() as stack:
        place = data_dir
        if not is_folder(place / FOLDER, "data_dir") and not kind_of(place / TAR, "data_dir"):
            place = stack.enter_context(official(data_dir, name, "caltech-101", "caltech-101.zip", URL, MD5))
        if not is_folder(place / FOLDER, "data_dir"):
            if not kind_of(place / TAR, "data_dir"):
                raise UserError(f"{place} is not Caltech-101: it has neither {FOLDER} nor {TAR}.")
            place = stack.enter_context(unpacked(place / TAR, data_dir, name))
        yield place / FOLDER


def _split(name: str, count: int) -> np.ndarray:
    if count <= PER_CLASS:
        raise UserError(
            f"the class {name} has {count} images and must have more than {PER_CLASS}: add those that lack."
        )
    for_test = np.ones(count, dtype=bool)
    for_test[torch.randperm(count, generator=stream(0, "caltech101 split", name))[:PER_CLASS].numpy()] = False
    return for_test
