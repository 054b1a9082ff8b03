"""Image files as uint8 arrays."""

import contextlib
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import Image, ImageOps
from pydantic import Field
from rich.progress import track

from pruneexp.data.dataset import LEFT_OUT, Arrays
from pruneexp.errors import UserError
from pruneexp.system import files
from pruneexp.system.console import console, tell

Sample = tuple[Path, int]  # an image file and its label
BILINEAR = Image.Resampling.BILINEAR
SIDE = 224  # of the networks pretrained on ImageNet
FORMATS = (
    "BMP",
    "GIF",
    "JPEG",
    "PNG",
    "PPM",
    "TIFF",
    "WEBP",
)  # whatever the name says: PostScript would start a program
LARGEST = 1 << 29  # bytes of a file: more than the pixels of the largest image that Pillow takes, 179 million
Side = Annotated[int, Field(ge=8, le=8192)]  # below, there is nothing to see


GREY = ("1", "L", "LA", "I;16", "I;16L", "I;16B", "I;16N")  # Pillow's modes of one channel
Size = tuple[int, int]  # height and width


def pixels(path: Path, size: int | Size, how: Image.Resampling = BILINEAR, channels: int = 3) -> np.ndarray:
    """One image as uint8 [channels, height, width]: scaled with antialiasing until it covers these, and the centre cut out.

    Grey images are repeated over the channels, CMYK becomes RGB, transparency is dropped, of an animation the first image is taken, of 16
    bits the upper 8.

    Args:
        path: of the file.
        size: height and width, or the side of a square.
        how: Pillow's filter.
        channels: three of colour, or one of grey.

    Raises:
        UserError: not a readable image, one of 32 bits a channel, or of more than 179 million pixels.
    """
    height, width = (size, size) if isinstance(size, int) else size
    with _image(path) as file:
        image = _eight_bits(file).convert("RGB" if channels == 3 else "L")
    array = np.asarray(ImageOps.fit(image, (width, height), how))
    return array[np.newaxis] if channels == 1 else array.transpose(2, 0, 1)


def look(path: Path) -> tuple[Size, bool]:
    """Height and width of an image, and whether it is grey, as its file's head says.

    Raises:
        UserError: not a readable image.
    """
    with _image(path) as file:
        return (file.height, file.width), file.mode in GREY


def _eight_bits(image: Image.Image) -> Image.Image:
    """The image with the upper 8 of a grey value's 16 bits, which Pillow would cut off at 255."""
    if image.mode in ("I", "F"):
        raise ValueError("32 bits a channel: save it with 8")
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)) if image.mode.startswith("I;16") else image


@contextlib.contextmanager
def _image(path: Path) -> Iterator[Image.Image]:
    """An image file, open; whatever goes wrong with it within the block is a UserError."""
    try:
        with files.opened(path) as content, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata; the pixels are fine
            if os.fstat(content.fileno()).st_size > LARGEST:
                raise ValueError(f"more than {LARGEST >> 20} MiB")
            with Image.open(content, formats=FORMATS) as file:
                yield file
    except Exception as error:
        # a damaged file can make a decoder fail in any way
        reason = getattr(error, "strerror", None) or str(error).partition(" <")[0] or type(error).__name__
        raise UserError(f"{path} is not a readable image ({reason}).") from error


def read_images(
    splits: Mapping[str, Sequence[Sample]],
    size: int | Size,
    strict: bool = False,
    how: Image.Resampling = BILINEAR,
    channels: int = 3,
) -> Arrays:
    """The arrays of a training and a test split, read with `pixels`.

    A file that is not a readable image is named and left out; those of the training split are listed in the array
    ``left_out``, so that `dataset.load` can still tell whether all the others are there.

    Args:
        splits: the samples of "train" and "test".
        size, how, channels: of the images, as for `pixels`.
        strict: a file that is not a readable image is an error.

    Raises:
        UserError: a file cannot be read and `strict`, none of a class for training or none for testing can, or too little memory.
    """
    arrays: Arrays = {}
    height, width = (size, size) if isinstance(size, int) else size
    for split, samples in splits.items():
        try:
            images = np.empty((len(samples), channels, height, width), dtype=np.uint8)
        except (MemoryError, ValueError) as error:
            needed = channels * height * width * len(samples) / 1e9
            raise UserError(
                f"{len(samples)} images of {height}x{width} pixels need {needed:.0f} GB of memory: choose a smaller side"
                " (dataset.side=, of official data dataset.source.side=)."
            ) from error
        labels: list[int] = []
        left_out: list[str] = []
        shown = console()
        for path, label in track(
            samples, f"reading {split} images", console=shown, transient=True, disable=not shown.is_terminal
        ):
            try:
                images[len(labels)] = pixels(path, size, how, channels)
            except UserError as error:
                leave_out(path, str(error), strict)
                left_out.append(short(path))
            else:
                labels.append(label)
        lost = {label for _, label in samples} - set(labels)
        if not labels or (split == "train" and lost):
            raise UserError(f"there is no readable {split} image{f' of class {min(lost)}' if lost else ''}.")
        arrays[f"{split}_images"] = images[: len(labels)]
        arrays[f"{split}_labels"] = np.array(labels, dtype=np.int64)
        if split == "train" and left_out:
            arrays[LEFT_OUT] = np.array(left_out)
    return arrays


def leave_out(path: Path, problem: str, strict: bool) -> None:
    """Tell that `path` is left out, because of `problem`, a sentence; an error if `strict`."""
    if strict:
        raise UserError(problem)
    told = problem.replace(str(path), short(path)).removesuffix(".")
    tell(f"{told}: it is left out.")


def short(path: Path) -> str:
    """A file's name and its folder's."""
    return f"{path.parent.name}/{path.name}"


def check_name(name: str, base: str, side: int) -> None:
    """Check that data set `base` at another side than 224 has a name, and so a folder, of its own.

    Raises:
        UserError: a name that belongs to another side.
    """
    names = (base,) if side == SIDE else (f"{base}_{side}", f"{base}{side}")
    if name not in names:
        raise UserError(
            f"with these options dataset.name must be {names[0]}, so that arrays of two kinds never share a folder,"
            f" got {name}."
        )
