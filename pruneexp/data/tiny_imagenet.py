"""Tiny-ImageNet-200 from its official layout."""

from pathlib import Path
from typing import Annotated

from PIL import Image
from pydantic import Field

from pruneexp.components.options import component
from pruneexp.components.values import Words
from pruneexp.data.dataset import Arrays
from pruneexp.data.images import Sample, read_images
from pruneexp.data.official import official
from pruneexp.errors import UserError
from pruneexp.system import files

URL = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
MD5 = "90528d7ca1a48142e341f4ef8d21d0de"
Name = Annotated[str, Field(pattern="^tiny_imagenet(32)?$"), Words("tiny_imagenet or tiny_imagenet32")]


@component("source")
def tiny_imagenet(data_dir: Path, name: Name) -> Arrays:
    """Tiny-ImageNet-200 (Le & Yang 2015): 100,000 training images, the 10,000 validation images as test set.

    Read from ``<data_dir>/tiny-imagenet-200/`` or ``<data_dir>/tiny-imagenet-200.zip`` (downloaded where missing), in the
    official layout: ``train/<wnid>/images/*.JPEG``, ``val/images/*.JPEG`` with ``val/val_annotations.txt``. Class k is the
    k-th wnid in alphabetical order. ``tiny_imagenet`` keeps 64x64; ``tiny_imagenet32`` halves each side by averaging 2x2
    pixels (Pillow's box filter), as usual for networks made for CIFAR.

    Raises:
        UserError: missing and not downloadable, damaged, or not in the official layout.
    """
    side = {"tiny_imagenet": 64, "tiny_imagenet32": 32}[name]
    with official(data_dir, name, "tiny-imagenet-200", "tiny-imagenet-200.zip", URL, MD5) as root:
        return read_images(_samples(root), side, strict=True, how=Image.Resampling.BOX)


def _samples(root: Path) -> dict[str, list[Sample]]:
    """The images and labels of the official layout."""
    try:
        wnids = sorted(folder.name for folder in (root / "train").iterdir())
        label = {wnid: k for k, wnid in enumerate(wnids)}
        train = [(path, label[wnid]) for wnid in wnids for path in sorted((root / "train" / wnid / "images").iterdir())]
        rows = [row.split() for row in files.read(root / "val" / "val_annotations.txt").decode().splitlines()]
        test = [(root / "val" / "images" / row[0], label[row[1]]) for row in rows]
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise UserError(
            f"{root} is not in Tiny-ImageNet's official layout (train/<wnid>/images/*.JPEG, val/images/*.JPEG,"
            f" val/val_annotations.txt): {error}."
        ) from error
    return {"train": train, "test": test}
