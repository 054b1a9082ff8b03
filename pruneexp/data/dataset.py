"""A data set: four memory-mapped arrays and what is known about them."""

import contextlib
import functools
import hashlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO, NamedTuple

import numpy as np
from pydantic import Field

from pruneexp.components.foreign import is_ours
from pruneexp.components.mending import told
from pruneexp.components.options import component
from pruneexp.components.values import Count, Label, Natural
from pruneexp.errors import UserError, reason
from pruneexp.system import files
from pruneexp.system.locks import lock_folder

FILES = ("train_images", "train_labels", "test_images", "test_labels")
SEAL = "sha256"  # beside them where pruneexp made them: their digest
LEFT_OUT = "left_out"  # beside them where training files could not be read: their names
Arrays = dict[str, np.ndarray]
Side = Annotated[int, Field(ge=1, le=8192)]
Means = tuple[Annotated[float, Field(ge=0, le=1)], ...]  # of each channel, of pixel values in [0, 1]
Deviations = tuple[Annotated[float, Field(gt=0, le=1)], ...]
Source = Callable[[Path, str], Arrays]  # (data_dir, name) -> the arrays, downloaded if need be


class Sizes(NamedTuple):
    """What has to be known of a data set before a network is made for it: how many classes, [C, H, W], and how many training images."""

    classes: int
    input_shape: tuple[int, int, int]
    train_count: int


@dataclass(frozen=True)
class Dataset:
    """Images uint8 [N, C, H, W] and labels int64 [N] of both splits, read-only.

    Attributes:
        name: that people call it by; of official data the folder under the data directory too.
        classes: number of classes; labels are 0 ... classes-1.
        mean, std: per channel, of pixel values in [0, 1] over the training images, or those a pretrained network expects.
        validation: how many training images are held out for model selection (drawn by the job's seed).
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    validation: int = 0

    @property
    def input_shape(self) -> tuple[int, int, int]:
        channels, height, width = self.train_images.shape[1:]
        return channels, height, width

    @property
    def sizes(self) -> Sizes:
        return Sizes(self.classes, self.input_shape, len(self.train_images))

    @functools.cached_property
    def digest(self) -> str:
        """Tells one state of the data from another; see `digest_of`."""
        return digest_of({file: getattr(self, file) for file in FILES})


def digest_of(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over the four arrays: types, shapes and contents."""
    digest = hashlib.sha256()
    for file in FILES:
        digest.update(f"{file} {arrays[file].dtype.str} {list(arrays[file].shape)}\n".encode())
        digest.update(np.ascontiguousarray(arrays[file]).data)
    return digest.hexdigest()


@component("dataset", name="arrays")
def load(
    data_dir: str | Path,
    name: Label,
    source: Source,
    classes: Annotated[int, Field(ge=1, le=1_000_000)],
    train_count: Count,
    image_shape: tuple[Side, Side, Side],
    mean: Means,
    std: Deviations,
    validation: Natural = 0,
) -> Dataset:
    """Open ``<data_dir>/<name>/{train,test}_{images,labels}.npy``, made from `source` first where they are missing.

    The arrays are written to a scratch folder that is renamed when complete, so that a reader never sees half a data set.

    Args:
        data_dir: of all data sets.
        name: the arrays' folder; other options of the source need another.
        source: makes the arrays.
        classes, train_count, image_shape: what the arrays must have; images that the source could not read count too, [C, H, W].
        mean, std: per channel, of pixel values in [0, 1].
        validation: training images held out for model selection.

    Raises:
        UserError: a file is damaged or not what it should be, the folder cannot be written, or the source has nothing to give.
    """
    check_channels(image_shape[0], mean=mean, std=std)
    folder = Path(data_dir) / name
    arrays = stored(folder, source, classes, image_shape)
    left_out = folder / f"{LEFT_OUT}.npy"
    if len(arrays["train_images"]) + (len(_open(left_out)) if files.kind_of(left_out) else 0) != train_count:
        raise UserError(
            f"{folder} has {len(arrays['train_images'])} training images and {name} has {train_count}: delete the folder"
            f" to have it made again, or set dataset.train_count."
        )
    return sealed(folder, Dataset(name=name, classes=classes, mean=mean, std=std, validation=validation, **arrays))


def check_channels(channels: int, **options: tuple[float, ...] | None) -> None:
    """Raise UserError where one of these options of a data set has not as many numbers as there are channels."""
    for option, values in options.items():
        if values is not None and len(values) != channels:
            raise UserError(f"dataset.{option} must have one number for each of {channels} channels, got {values}.")


def stored(
    folder: Path, source: Source, classes: int | None = None, image_shape: tuple[int, int, int] | None = None
) -> Arrays:
    """The four arrays in a folder, memory-mapped, made from `source` first where they are missing.

    Args:
        folder: of these arrays alone.
        source: makes them.
        classes, image_shape: what they must have; of None what the training arrays have.

    Raises:
        UserError: as for `load`.
    """
    if not _complete(folder):
        make(folder, source)
    arrays = {file: _open(folder / f"{file}.npy") for file in FILES}
    images, labels = arrays["train_images"], arrays["train_labels"]
    classes = int(labels.max(initial=0)) + 1 if classes is None else classes
    for split in ("train", "test"):
        shape = image_shape or images.shape[1:]
        _check(folder, split, arrays[f"{split}_images"], arrays[f"{split}_labels"], classes, shape)
    return arrays


def sealed(folder: Path, dataset: Dataset) -> Dataset:
    """The data set, whose arrays lie in this folder: they are as they were made, and leave something to train on.

    Raises:
        UserError: they are not.
    """
    if dataset.validation >= len(dataset.train_images):
        raise UserError(
            f"dataset.validation must be at least 0 and below {len(dataset.train_images)}, the training images of"
            f" {dataset.name}, got {dataset.validation}."
        )
    _check_seal(folder, dataset.digest)
    return dataset


def make(folder: Path, source: Source) -> None:
    """Make the source's arrays in `folder`, all or nothing; a second process that wants them waits for the first."""
    data_dir, name = folder.parent, folder.name
    with contextlib.ExitStack() as stack:
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
            stack.enter_context(lock_folder(data_dir))
        except OSError as error:
            raise UserError(files.unwritable(f"data_dir={data_dir}", error, "data_dir")) from error
        if _complete(folder):
            return
        files.remove_leftovers(folder)  # of a process that was killed
        try:
            if folder.is_dir() and any(folder.iterdir()):
                raise UserError(f"{folder} is where the arrays of {name} go: move the other files in it elsewhere.")
            with files.new_folder(folder) as scratch:
                arrays = _arrays_of(source, data_dir, name)
                for array_name, array in arrays.items():
                    with files.writing(scratch / f"{array_name}.npy") as file:
                        _save(file, array)
                files.write(scratch / SEAL, f"{digest_of(arrays)}\n")
        except OSError as error:
            raise UserError(
                f"the arrays of {name} could not be written to {folder} ({error.strerror or error}): {files.remedy(error, 'data_dir')}."
            ) from error


def _save(file: BinaryIO, array: np.ndarray) -> None:
    """As numpy.save, which does not tell why the disk took only a part."""
    array = np.ascontiguousarray(array)
    np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
    file.write(array.data)


def _arrays_of(source: Source, data_dir: Path, name: str) -> Arrays:
    """What a source gives; raises UserError where those are not the arrays of a data set."""
    with contextlib.nullcontext() if is_ours(source) else told(f"the source of {name}"):
        given: object = source(data_dir, name)
    arrays = given if isinstance(given, Mapping) else {}
    for file in FILES:
        array, images = arrays.get(file), file.endswith("images")
        right = "uint8 [N, C, H, W]" if images else "whole numbers [N]"
        if not isinstance(array, np.ndarray) or not (
            array.dtype == np.uint8 if images else np.issubdtype(array.dtype, np.integer)
        ):
            got = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else type(array).__name__
            raise UserError(f"the source of {name} must give the array {file}, {right}, and gave {got}: mend it.")
        if len(array) == 0 or array.min() < 0:
            what = "no samples" if len(array) == 0 else "negative labels"
            raise UserError(
                f"the source of {name} must give samples with labels 0, 1, ... and gave {what} in {file}: mend it."
            )
    return dict(arrays)


def _check_seal(folder: Path, digest: str) -> None:
    """Raise UserError where arrays that pruneexp made are not as it made them; those put in place by hand have no seal."""
    try:
        seal = files.read(folder / SEAL).decode(errors="replace").strip()
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(f"{folder / SEAL} cannot be read: {error.strerror}.") from error
    if seal != digest:
        raise UserError(
            f"the arrays in {folder} were changed after they were made, or {SEAL} beside them was: delete the folder to have it made"
            f" again, or the file {SEAL} if the change was meant."
        )


def _complete(folder: Path) -> bool:
    """Are all four arrays there?

    Raises:
        UserError: some are and some are not, or nobody may look.
    """
    missing = [f"{file}.npy" for file in FILES if not files.kind_of(folder / f"{file}.npy", "data_dir")]
    if missing and len(missing) < len(FILES):
        raise UserError(
            f"{folder} lacks {', '.join(missing)}: add what is missing, or delete the folder to have it made."
        )
    return not missing


def _open(path: Path) -> np.ndarray:
    try:
        with files.opened(path) as file:
            if np.lib.format.read_magic(file) != (
                1,
                0,
            ):  # later ones may have a head of 4 GB, which numpy reads at once
                raise ValueError("not of npy format 1.0, as np.save writes arrays of numbers")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a damaged header
            return np.lib.format.open_memmap(path, mode="r")
    except PermissionError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except Exception as error:
        # a damaged header is evaluated by numpy and can fail in any way
        why = reason(error)[:100]
        raise UserError(f"{path} is damaged ({why}): delete the folder {path.parent} to have it made again.") from error


def _check(
    folder: Path, split: str, images: np.ndarray, labels: np.ndarray, classes: int, image_shape: tuple[int, ...]
) -> None:
    problem = None
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != image_shape:
        problem = f"images are {images.dtype} {list(images.shape)} and should be uint8 [N, {str(list(image_shape))[1:]}"
    elif labels.shape != images.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        problem = f"labels are {labels.dtype} {list(labels.shape)} for {len(images)} images"
    elif len(labels) == 0 or labels.min() < 0 or labels.max() >= classes:
        problem = f"labels are not all in 0 ... {classes - 1}"
    if problem:
        raise UserError(
            f"the {split} arrays in {folder} are damaged or of another data set: {problem}; delete the folder to have it made again,"
            f" or choose another dataset.name."
        )
