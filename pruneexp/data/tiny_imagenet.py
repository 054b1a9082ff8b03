"""Tiny-ImageNet-200 from its official layout."""

import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image
from rich.progress import track

from pruneexp.data.dataset import Arrays
from pruneexp.errors import UserError
from pruneexp.torchvision_compat import prepare

URL = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
MD5 = "90528d7ca1a48142e341f4ef8d21d0de"


def tiny_imagenet(data_dir: Path, name: str) -> Arrays:
    """Tiny-ImageNet-200 (Le & Yang 2015): 100,000 training images, the 10,000 validation images as test set.

    Read from ``<data_dir>/tiny-imagenet-200/`` or ``<data_dir>/tiny-imagenet-200.zip`` (downloaded where missing), in the
    official layout: ``train/<wnid>/images/*.JPEG``, ``val/images/*.JPEG`` with ``val/val_annotations.txt``. Class k is the
    k-th wnid in alphabetical order. ``tiny_imagenet`` keeps 64x64; ``tiny_imagenet32`` halves each side by averaging 2x2
    pixels (Pillow's box filter), as usual for networks made for CIFAR.

    Raises:
        UserError: missing and not downloadable, damaged, or not in the official layout.
    """
    side = {"tiny_imagenet": 64, "tiny_imagenet32": 32}[name]
    folder, archive = data_dir / "tiny-imagenet-200", data_dir / "tiny-imagenet-200.zip"
    if folder.is_dir():
        return _read(folder, side)
    if not archive.exists():
        _download(data_dir, name)
    with tempfile.TemporaryDirectory(prefix=f".{name}-unpack-", dir=data_dir) as unpacked:
        try:
            with zipfile.ZipFile(archive) as official:
                official.extractall(unpacked)
        except (zipfile.BadZipFile, zlib.error) as error:
            raise UserError(f"{archive} is damaged ({error}): delete it to have it downloaded again.") from error
        return _read(Path(unpacked) / folder.name, side, archive)


def _download(data_dir: Path, name: str) -> None:
    prepare()
    from torchvision.datasets.utils import download_url

    try:
        download_url(URL, str(data_dir), "tiny-imagenet-200.zip", MD5)
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"{name} is not in {data_dir} and cannot be downloaded ({error}): put the official tiny-imagenet-200.zip (or its"
            f" folder tiny-imagenet-200) into {data_dir}, or the arrays {{train,test}}_{{images,labels}}.npy into"
            f" {data_dir / name}."
        ) from error


def _read(root: Path, side: int, archive: Path | None = None) -> Arrays:
    """The arrays of the official layout under `root`, unpacked from `archive` where one is given."""
    try:
        wnids = sorted(folder.name for folder in (root / "train").iterdir())
        label = {wnid: k for k, wnid in enumerate(wnids)}
        train = [(path, label[wnid]) for wnid in wnids for path in sorted((root / "train" / wnid / "images").iterdir())]
        rows = [row.split() for row in (root / "val" / "val_annotations.txt").read_text().splitlines()]
        test = [(root / "val" / "images" / row[0], label[row[1]]) for row in rows]
    except (FileNotFoundError, NotADirectoryError, KeyError, IndexError) as error:
        raise UserError(
            f"{archive or root} is not in Tiny-ImageNet's official layout (train/<wnid>/images/*.JPEG, val/images/*.JPEG,"
            f" val/val_annotations.txt): {error}."
        ) from error
    arrays: Arrays = {}
    for split, samples in (("train", train), ("test", test)):
        images = np.empty((len(samples), 3, side, side), dtype=np.uint8)
        for i, (path, _) in enumerate(track(samples, f"reading {split} images", transient=True)):
            images[i] = _pixels(path, side)
        arrays[f"{split}_images"] = images
        arrays[f"{split}_labels"] = np.array([label for _, label in samples], dtype=np.int64)
    return arrays


def _pixels(path: Path, side: int) -> np.ndarray:
    """One image as uint8 [3, side, side]; grey ones are repeated over the channels."""
    try:
        image = Image.open(path).convert("RGB")
    except OSError as error:
        raise UserError(f"{path} is not a readable image ({error}).") from error
    if image.size != (side, side):
        image = image.resize((side, side), Image.Resampling.BOX)
    return np.asarray(image).transpose(2, 0, 1)
