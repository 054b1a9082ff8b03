"""Arrays of one's own: four files of NumPy's, one of them all, or one of torch's."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch

from pruneexp.components.options import component
from pruneexp.components.values import Content, Label, Line, Natural, Words
from pruneexp.data.dataset import FILES, Arrays, Dataset, Deviations, Means
from pruneexp.data.own import digest_of_files, own
from pruneexp.errors import UserError, reason
from pruneexp.system import files

NAMES = ", ".join(FILES)
KINDS = f"a folder of {{train,test}}_{{images,labels}}.npy, or a file .npz or .pt of arrays called {NAMES}"


def fingerprint(root: str) -> str:
    """The digest of the files' names and contents, wherever they lie.

    Raises:
        UserError: there are none.
    """
    return digest_of_files((path.name if path.suffix == ".npy" else path.suffix, path) for path in _paths(root))


Root = Annotated[Line, Content(fingerprint), Words(f"the path of {KINDS}")]


@component("dataset")
def own_arrays(
    data_dir: str | Path,
    name: Label,
    root: Root,
    mean: Means | None = None,
    std: Deviations | None = None,
    validation: Natural = 0,
) -> Dataset:
    """One's own arrays: ``<root>/{train,test}_{images,labels}.npy``, or `root` a file ``.npz``, or of torch.save ``.pt``, with these names.

    Images are uint8 [N, C, H, W], or [N, H, W, C] or [N, H, W], with C 1 or 3; labels are whole numbers 0 ... K - 1, [N] or [N, 1], and
    each class has training images. Nothing is unpickled but tensors.

    Args:
        data_dir: the arrays go to ``<data_dir>/<name>-<digest>``, once.
        name: of the data set, in tables and folders.
        root: where they are; a cell's key has the digest of what lies there.
        mean, std: per channel, of pixel values in [0, 1]; null: those of the training images.
        validation: training images held out for model selection.

    Raises:
        UserError: no such files, damaged ones, or arrays that are none of these.
    """
    return own(data_dir, name, root, fingerprint, {}, lambda: _read(root), validation, mean, std)


def _paths(root: str) -> list[Path]:
    """The files that hold the arrays."""
    place = Path(root)
    if files.is_folder(place, "dataset.root"):
        paths = [place / f"{name}.npy" for name in FILES]
    else:
        paths = [place] if place.suffix in (".npz", ".pt", ".pth") else []
    if not paths or (missing := [path for path in paths if not files.is_file(path, "dataset.root")]):
        lacks = (
            f"{missing[0]} is missing" if paths else f"there is no {root}" if not place.exists() else f"{root} is not"
        )
        raise UserError(f"dataset.root must be the path of {KINDS}, and {lacks}.")
    return paths


def _read(root: str) -> Arrays:
    """The arrays as `Dataset` has them."""
    found = _content(root)
    if lacking := [name for name in FILES if name not in found]:
        raise UserError(f"dataset.root={root} must hold arrays called {NAMES}, and has no {' and no '.join(lacking)}.")
    arrays: Arrays = {}
    for split in ("train", "test"):
        images, labels = (np.asarray(found[f"{split}_{what}"]) for what in ("images", "labels"))
        arrays[f"{split}_images"] = images = _images(f"{split}_images of dataset.root={root}", images)
        arrays[f"{split}_labels"] = labels = _labels(f"{split}_labels of dataset.root={root}", labels)
        if len(labels) != len(images):
            raise UserError(f"dataset.root={root} has {len(images)} {split} images and {len(labels)} labels for them.")
    return _checked(root, arrays)


def _content(root: str) -> Mapping[str, Any]:
    paths = _paths(root)
    try:
        if len(paths) > 1:
            return {path.stem: _npy(path) for path in paths}
        with files.opened(paths[0]) as file:
            if paths[0].suffix == ".npz":
                with np.load(file, allow_pickle=False) as archive:
                    return {name: archive[name] for name in archive.files if name in FILES}
            content = torch.load(file, map_location="cpu", weights_only=True)
        held = content if isinstance(content, Mapping) else {}
        return {
            name: value.detach().numpy() if isinstance(value, torch.Tensor) else value
            for name, value in held.items()
            if name in FILES
        }
    except Exception as error:  # a damaged file can raise anything
        raise UserError(f"dataset.root={root} cannot be read ({reason(error)[:200]}).") from error


def _npy(path: Path) -> np.ndarray:
    with files.opened(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a damaged header
        array: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _images(what: str, images: np.ndarray) -> np.ndarray:
    """uint8 [N, C, H, W]."""
    if images.dtype == np.uint8 and images.ndim == 3:
        images = images[:, np.newaxis]
    elif images.dtype == np.uint8 and images.ndim == 4 and images.shape[1] not in (1, 3) and images.shape[3] in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3) or 0 in images.shape:
        scaled = "; of numbers in [0, 1] take (255 * images).round().astype('uint8')" * (images.dtype.kind == "f")
        raise UserError(
            f"{what} must be uint8 [N, C, H, W], [N, H, W, C] or [N, H, W], C 1 or 3, got {images.dtype} {list(images.shape)}{scaled}."
        )
    return images


def _labels(what: str, labels: np.ndarray) -> np.ndarray:
    """int64 [N]."""
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise UserError(f"{what} must be whole numbers [N], got {labels.dtype} {list(labels.shape)}.")
    return labels.astype(np.int64)


def _checked(root: str, arrays: Arrays) -> Arrays:
    """The arrays, whose training and test parts go together."""
    shapes = [arrays[f"{split}_images"].shape[1:] for split in ("train", "test")]
    if shapes[0] != shapes[1]:
        raise UserError(f"dataset.root={root} has training images {list(shapes[0])} and test images {list(shapes[1])}.")
    trained, tested = np.unique(arrays["train_labels"]), np.unique(arrays["test_labels"])
    if len(trained) < 2 or not np.array_equal(trained, np.arange(len(trained))):
        raise UserError(
            f"dataset.root={root} must have training images of two classes or more, 0, 1, ... without a gap, and has labels"
            f" {trained[0]} ... {trained[-1]}, {len(trained)} different ones: number the classes from 0 on."
        )
    if len(others := np.setdiff1d(tested, trained)):
        raise UserError(f"dataset.root={root} has test images of class {others[0]}, and none to train on.")
    return arrays
