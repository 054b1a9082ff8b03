"""The counts of a mask in a file."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch

from pruneexp.cell import digest
from pruneexp.components.options import component
from pruneexp.components.values import Content, Line, Words
from pruneexp.errors import UserError
from pruneexp.layers import Layer
from pruneexp.network.masks import load_masks
from pruneexp.network.weights import MASKS


def fingerprint(path: str) -> str:
    """What tells one file's counts from another's.

    Raises:
        UserError: there are no masks.
    """
    return digest({name: int(mask.sum()) for name, mask in _masks(path).items()})


Masks = Annotated[
    Line, Content(fingerprint), Words("the path of a finished cell's folder, or of its masks.safetensors")
]


@component("allocation", needs_scores=False)
def file(layers: Sequence[Layer], count: int, path: Masks) -> np.ndarray:
    """Of each layer as many weights as the masks of a file keep of it, such as a finished cell's; which ones has no part in it.

    Args:
        layers: the network's prunable weights, by the names of the file's masks.
        count: of the whole network.
        path: of a finished cell's folder, or of its masks.safetensors.

    Returns:
        int64 [layers].

    Raises:
        UserError: there are no masks, they are another network's, or keep another number of weights than `count`.
    """
    masks = _masks(path)
    for layer in layers:
        if layer.name not in masks or masks[layer.name].numel() != layer.size:
            has = f"{masks[layer.name].numel()} of it" if layer.name in masks else "none of it"
            raise UserError(
                f"allocation.path={path} holds the masks of another network: {layer.name} has {layer.size} weights, and it has {has}."
            )
    counts = np.array([int(masks[layer.name].sum()) for layer in layers], dtype=np.int64)
    if counts.sum() != count:
        total = sum(layer.size for layer in layers)
        raise UserError(
            f"allocation.path={path} keeps {counts.sum()} weights of these layers, and the density asks for {count}: use"
            f" densities=[{counts.sum() / total:.8g}]."
        )
    return counts


def _masks(path: str) -> Mapping[str, torch.Tensor]:
    place = Path(path) / MASKS if os.path.isdir(path) else Path(path)  # pathlib raises for a name that is too long
    if not os.path.isfile(place):
        raise UserError(f"allocation.path must be a finished cell's folder, or its {MASKS}, and there is no {place}.")
    return load_masks(place)
