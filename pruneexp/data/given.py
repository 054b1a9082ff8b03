"""What people pass as data - tensors, arrays, loaders, data sets - as the samples that scorers look at."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset

from pruneexp.components.values import shown
from pruneexp.data.batches import Batches
from pruneexp.errors import UserError, first_line
from pruneexp.seeding import stream

Pair = tuple[torch.Tensor, torch.Tensor]
Found = TypeVar("Found")
IMAGES = ("images", "image", "pixel_values", "inputs", "input_ids", "x")  # names in batches that are mappings
LABELS = ("labels", "label", "targets", "target", "y")
MOST_BYTES = 2**30  # of images that are kept where a scorer asks for all
KINDS = "(images, labels) of tensors or arrays, a DataLoader or another iterable of such batches, or a Dataset"


def given(data: Any, example_input: Any, indices: bool, seed: int) -> Batches:
    """The samples of a call's `data`, or of `example_input` the shape alone.

    Args:
        data: (images, labels) as tensors, numpy arrays or lists; a DataLoader or any other iterable of such batches, also of mappings with
            ``image`` and ``label``, which is read as far as a scorer asks, in its own order; a torch Dataset, whose samples are drawn in an
            order of the seed's own. Where a scorer asks for all of what is read, they are the first 1 GiB.
        example_input: a tensor or array [n, ...], or None.
        indices: whether the network reads indices (it has an embedding), so that whole numbers stay what they are.
        seed: of the order in which a Dataset's samples are drawn, and of what a loader draws.

    Raises:
        UserError: it is none of these, or holds no samples, or not as many labels as images.
    """
    example = None if example_input is None else _images(example_input, "example_input", indices)
    if data is None:
        return _batches(example, indices)
    if _is_pair(data) or isinstance(data, Mapping):
        images, labels = _pair(data, indices)
        return _batches(images, indices, images=images, labels=labels)
    if isinstance(data, Dataset) and not isinstance(data, IterableDataset):
        data = _shuffled(data, seed)
    if isinstance(data, str) or not isinstance(data, Iterable):
        raise UserError(f"data must be {KINDS}, got {shown(data)}.")
    read = _Reader(data, indices, seed)
    return _batches(read(1)[0], indices, read=read)


def _batches(inputs: torch.Tensor | None, indices: bool, **more: Any) -> Batches:
    if inputs is None:
        return Batches()
    ids = inputs[:1] if indices and not inputs.is_floating_point() else None
    return Batches(input_shape=tuple(inputs.shape[1:]), indices=ids, **more)


class _Reader:
    """Samples of an iterable of batches, read as far as they are asked for, and kept."""

    def __init__(self, batches: Iterable[Any], indices: bool, seed: int) -> None:
        self.batches, self.indices, self.seed = batches, indices, seed
        self.rest: Iterator[Any] | None = None
        self.images: list[torch.Tensor] = []
        self.labels: list[torch.Tensor] = []

    def __call__(self, count: int | None) -> Pair:
        """At least `count` samples, of None all, as far as there are so many and they take no more than `MOST_BYTES`."""
        with torch.random.fork_rng(devices=[]):  # a loader draws its order from the global generator
            torch.default_generator.manual_seed(self.seed)
            if self.rest is None:
                self.rest = _told(lambda: iter(self.batches))
            while (count is None or sum(map(len, self.images)) < count) and (
                sum(one.nbytes for one in self.images) < MOST_BYTES
            ):
                if (batch := _told(lambda: next(self.rest, None))) is None:  # type: ignore[arg-type]
                    break
                images, labels = _pair(batch, self.indices)
                self.images.append(images)
                self.labels.append(labels)
        if not self.images:
            raise UserError(f"data holds no samples: pass {KINDS}.")
        self.images, self.labels = [_joined(self.images)], [_joined(self.labels)]
        return self.images[0], self.labels[0]


def _told(read: Callable[[], Found]) -> Found:
    """What reading gives; what a data set raises, in a sentence."""
    try:
        return read()
    except Exception as error:
        raise UserError(f"data cannot be read ({type(error).__name__}: {first_line(error)}).") from error


def _joined(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    shapes = {tuple(part.shape[1:]) for part in parts}
    if len(shapes) > 1:
        raise UserError(
            f"the samples of data differ in their shapes, {' and '.join(map(str, map(list, sorted(shapes)[:2])))}."
        )
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def _shuffled(data: Dataset[Any], seed: int) -> DataLoader[Any]:
    """Its samples in random order: data sets often lie sorted by class."""
    try:
        number = len(data)  # type: ignore[arg-type]
    except TypeError as error:
        raise UserError(f"data is a Dataset without a length: pass {KINDS}.") from error
    order = torch.randperm(number, generator=stream(seed, "samples")).tolist()
    return DataLoader(Subset(data, order), batch_size=32)


def _is_pair(data: Any) -> bool:
    return isinstance(data, (tuple, list)) and len(data) == 2 and isinstance(data[0], (torch.Tensor, np.ndarray))


def _pair(batch: Any, indices: bool) -> Pair:
    """Images and labels of a batch, what comes after them left out."""
    if isinstance(batch, Mapping):
        parts = [next((batch[name] for name in names if name in batch), None) for names in (IMAGES, LABELS)]
    else:
        parts = list(batch[:2]) if isinstance(batch, (tuple, list)) else []
    if len(parts) < 2 or any(part is None for part in parts):
        raise UserError(f"data must be {KINDS}; a batch of it is a {type(batch).__name__} without images and labels.")
    images, labels = _images(parts[0], "images", indices), _labels(parts[1])
    if len(images) != len(labels):
        raise UserError(f"data has {len(images)} images and {len(labels)} labels: there must be one for each.")
    return images, labels


def _images(value: Any, what: str, indices: bool) -> torch.Tensor:
    images = _tensor(value, what)
    if images.is_complex():
        raise UserError(f"{what} are complex numbers: pass real ones.")
    if images.is_floating_point():
        return images
    return images.long() if indices else images.float()


def _labels(value: Any) -> torch.Tensor:
    """int64 [n], or more dimensions; numbers that are no whole ones, as probabilities of the classes, as they are."""
    labels = _tensor(value, "labels")
    if labels.is_floating_point() and labels.dim() > 1:
        return labels
    if labels.is_floating_point() or labels.is_complex():
        raise UserError(
            f"labels must be whole numbers, the class of each sample, got {labels.dtype}: pass labels.long()."
        )
    labels = labels.long()
    return labels[:, 0] if labels.dim() == 2 and labels.shape[1] == 1 else labels


def _tensor(value: Any, what: str) -> torch.Tensor:
    """A tensor with at least one row, of memory that autograd may keep."""
    if not isinstance(value, torch.Tensor):
        array = np.asarray(value) if isinstance(value, (list, tuple, np.ndarray)) else np.asarray(None)
        if array.dtype.kind not in "biufc":
            raise UserError(f"{what} must be a tensor or an array of numbers [n, ...], got {shown(value)}.")
        array = array.astype(array.dtype.newbyteorder("="))  # a copy in this machine's order: torch takes no other
        value = torch.from_numpy(array.astype(np.int64) if array.dtype.kind == "u" and array.itemsize > 1 else array)
    if value.dim() == 0 or len(value) == 0:
        raise UserError(f"{what} must be a tensor [n, ...] with n at least 1, got shape {list(value.shape)}.")
    if value.layout != torch.strided or value.is_quantized:
        raise UserError(f"{what} must be a dense tensor, got {value.layout}: pass to_dense() of it.")
    detached: torch.Tensor = value.detach()
    return detached.clone() if detached.is_inference() else detached
