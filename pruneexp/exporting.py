"""A finished cell's network as a file for other programs, compared with the cell's own network before it is put in place."""

import functools
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from pruneexp.errors import UserError, first_line
from pruneexp.loading import LoadedCell, built, input_shape_of, load_cell
from pruneexp.network.export import as_onnx, check_onnx, exported, run_onnx
from pruneexp.network.exported import load_exported
from pruneexp.network.outputs import logits
from pruneexp.network.removal import remove
from pruneexp.network.weights import SMALLER, as_built, packed
from pruneexp.records.store import Store
from pruneexp.system import files

IMAGES = 3  # random ones, of which outputs are compared
TOLERANCE = 1e-4  # of the largest output: what another order of float32 sums may change
Outputs = Callable[[torch.Tensor], Any]


@dataclass(frozen=True)
class Export:
    """What `export` wrote; as text a sentence.

    Attributes:
        path: of the file.
        size: in bytes.
        difference: the largest of an output, read back from the file, from the cell's own, over `IMAGES` random images.
        largest: the largest output's absolute value.
    """

    path: Path
    size: int
    difference: float
    largest: float

    def __str__(self) -> str:
        return (
            f"{self.path}: {self.size:,} bytes; read back, its outputs for {IMAGES} random images are the cell's to within"
            f" {self.difference:.2g}, where the largest is {self.largest:.3g}."
        )


def export(folder: str | Path, path: str | Path) -> Export:
    """Write a finished cell's network to a file, as in ``pruneexp.export("results/runs/<key>", "net.onnx")``.

    The ending says the format: ``.onnx`` for ONNX (``pip install "pruneexp[onnx]"``), ``.pt2`` for ``torch.export.load``, both in eval
    mode and for batches of any size; ``.safetensors`` for the state dict with its zeros, under the names of the model as its own code
    builds it: ``model.load_state_dict(safetensors.torch.load_file(path))``. Of a cell whose neurons were removed it is the smaller
    network's, ``pruneexp.remove(model, masks, input_shape)`` builds one that takes them, and the ``.pt2`` is the cell's own file.

    What was made is read back, and its outputs for a few images of standard normal noise are compared with those of the cell's network:
    where they differ by more than `TOLERANCE` of the largest, nothing is written.

    Args:
        folder: of the cell, as of `pruneexp.load_cell`.
        path: of the file; nothing may be there.

    Raises:
        UserError: what `load_cell` raises; another ending; something is there or cannot be written; the network cannot be exported, or
            gives other outputs afterwards.
    """
    cell, path = load_cell(folder), Path(path)
    if (kind := path.suffix.removeprefix(".")) not in FORMATS:
        raise UserError(f"{path} must end in {', '.join(f'.{one}' for one in FORMATS)}: the ending says the format.")
    if kind == "onnx":
        check_onnx()
    _check_free(path)
    images = torch.randn(IMAGES, *input_shape_of(cell.record), generator=torch.Generator().manual_seed(0))
    content, outputs = FORMATS[kind](Path(os.path.realpath(folder)), cell)
    difference, largest = _compared(cell, outputs, images, kind)
    try:
        files.write(path, content)
    except OSError as error:
        raise UserError(files.unwritable(path, error)) from error
    return Export(path, len(content), difference, largest)


def _check_free(path: Path) -> None:
    """Raise UserError where a file cannot be made without harm."""
    if os.path.lexists(path):
        raise UserError(
            f"{path} is there already, and nothing is written over it: delete it, or choose another name (to=FILE)."
        )
    try:
        if not files.is_folder(path.parent):
            raise UserError(f"there is no folder {path.parent} to write {path.name} into: make it first.")
        files.check_writable(path.parent)
    except OSError as error:
        raise UserError(files.unwritable(path, error)) from error


def _onnx(folder: Path, cell: LoadedCell) -> tuple[bytes, Outputs]:
    content = as_onnx(cell.model, input_shape_of(cell.record))
    return content, functools.partial(run_onnx, content)


def _pt2(folder: Path, cell: LoadedCell) -> tuple[bytes, Outputs]:
    if SMALLER in cell.record["files"]:
        content = Store(folder.parent).file(folder.name, SMALLER)
        return content, load_exported(content)
    content = exported(cell.model, input_shape_of(cell.record))
    return content, torch.export.load(io.BytesIO(content)).module()


def _safetensors(folder: Path, cell: LoadedCell) -> tuple[bytes, Outputs]:
    content, network = packed(as_built(cell.model)), built(cell.record)
    if SMALLER in cell.record["files"]:
        network = remove(network, cell.masks, input_shape_of(cell.record))
    try:
        network.load_state_dict(safetensors.torch.load(content))
    except RuntimeError as error:
        raise UserError(
            f"the weights of {folder.name} have no place under these names in the model that its code builds ({first_line(error)}), as"
            " where it computes them from others: take format=pt2 or onnx."
        ) from error
    return content, network.eval()


FORMATS = {"onnx": _onnx, "pt2": _pt2, "safetensors": _safetensors}


@torch.no_grad()
def _compared(cell: LoadedCell, outputs: Outputs, images: torch.Tensor, kind: str) -> tuple[float, float]:
    """The largest difference of outputs, and the largest output.

    Raises:
        UserError: they differ, or are no numbers.
    """
    want, got = logits(cell.model(images)), logits(outputs(images))
    key, largest = cell.record["key"], float(want.abs().max())
    if not want.isfinite().all():
        raise UserError(
            f"the network of {key} gives outputs that are not finite, its training has diverged: there is nothing to export."
        )
    difference = float((got - want).abs().max()) if got.shape == want.shape else float("inf")
    if not difference <= TOLERANCE * largest:
        raise UserError(
            f"as {kind} the network of {key} gives other outputs, by up to {difference:.2g} where the largest is {largest:.2g} and"
            f" {TOLERANCE:g} of it are allowed: nothing was written; take another format."
        )
    return difference, largest
