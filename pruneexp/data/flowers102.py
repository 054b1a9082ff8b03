"""Oxford 102 Flowers from its official files."""

import contextlib
from pathlib import Path
from typing import Literal

import numpy as np

from pruneexp.components.options import component
from pruneexp.data.dataset import Arrays
from pruneexp.data.images import Side, check_name, read_images
from pruneexp.data.official import fetch, unpacked
from pruneexp.errors import UserError
from pruneexp.system import files

URL = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102"
MD5 = {
    "102flowers.tgz": "52808999861908f626f3c1f4e79d11fa",
    "imagelabels.mat": "e0620be6f572b9609742df49c70aed4d",
    "setid.mat": "a5357ecc9cb78c4bef273ce3793fc85c",
}
CLASSES = 102


@component("source")
def flowers102(
    data_dir: Path,
    name: str,
    side: Side,
    train_split: Literal["train", "trainval"] = "train",
    strict: bool = False,
) -> Arrays:
    """Oxford 102 Flowers (Nilsback & Zisserman 2008) in its official split, as uint8 [N, 3, side, side].

    1,020 training images (ten of each class), with ``trainval`` the 1,020 for validation too; 6,149 test images. Read from
    ``<data_dir>/flowers-102/`` with setid.mat, imagelabels.mat and jpg/ or 102flowers.tgz, downloaded where missing.

    Args:
        data_dir: where the official files are.
        name: of the data set, which tells side and split.
        side: of the square images; the data set's image_shape follows it.
        train_split: ``train``, or ``trainval``: with the validation images, train_count=2040.
        strict: a file that cannot be read is an error; otherwise it is named and left out.

    Raises:
        UserError: missing and not downloadable, damaged, or a file that cannot be read and `strict`.
    """
    check_name(name, "flowers102" if train_split == "train" else "flowers102_trainval", side)
    folder = data_dir / "flowers-102"
    unpack = not files.is_folder(folder / "jpg", "data_dir")
    for file, md5 in MD5.items():
        if unpack or file.endswith(".mat"):
            fetch(folder / file, f"{URL}/{file}", md5, data_dir, name, f"{', '.join(MD5)} into {folder}")
    labels = _mat(folder / "imagelabels.mat", "labels", CLASSES) - 1
    train = [_mat(folder / "setid.mat", key, len(labels)) for key in ("trnid", "valid")]
    numbers = {
        "train": train[0] if train_split == "train" else np.concatenate(train),
        "test": _mat(folder / "setid.mat", "tstid", len(labels)),
    }
    with contextlib.ExitStack() as stack:
        root = stack.enter_context(unpacked(folder / "102flowers.tgz", data_dir, name)) if unpack else folder
        splits = {
            split: [(root / "jpg" / f"image_{number:05d}.jpg", int(labels[number - 1])) for number in chosen]
            for split, chosen in numbers.items()
        }
        return read_images(splits, side, strict)


def _mat(path: Path, key: str, most: int) -> np.ndarray:
    """A list of numbers 1 ... `most` in a MATLAB file, as int64."""
    from scipy.io import loadmat

    try:
        with files.opened(path) as file:
            numbers: np.ndarray = loadmat(file)[key].ravel().astype(np.int64)
    except Exception as error:
        # a damaged file can make the reader fail in any way
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UserError(f"{path} is damaged ({why}): delete it to have it downloaded again.") from error
    if not len(numbers) or numbers.min() < 1 or numbers.max() > most:
        raise UserError(f"{path} is not the official file: {key} must be numbers from 1 to {most}.")
    return numbers
