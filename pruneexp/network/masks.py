"""Masks of a network: putting them on, saving them, and the exchange with torch.nn.utils.prune.

Masks are {weight name: bool tensor shaped like the weight}; True is kept.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn
from torch.nn.utils import prune as torch_prune

from pruneexp.errors import UserError
from pruneexp.network.prunable import prunable
from pruneexp.system import files

Masks = dict[str, torch.Tensor]


def everything(weights: Mapping[str, torch.Tensor]) -> Masks:
    """The masks that keep all of these weights, on the CPU."""
    return {name: torch.ones(weight.shape, dtype=torch.bool) for name, weight in weights.items()}


def apply_masks(model: nn.Module, masks: Mapping[str, torch.Tensor]) -> None:
    """Set the pruned weights of `model` to zero, in place.

    A training step can revive them: train with `pruneexp.training`, or use `to_torch_prune`.

    Raises:
        UserError: a mask's name or shape is not that of a prunable weight of the model.
    """
    weights = prunable(model)
    check(weights, masks)
    with torch.no_grad():
        for name, mask in masks.items():
            weights[name].mul_(mask.to(weights[name].device))


def check(weights: Mapping[str, torch.Tensor], masks: Mapping[str, torch.Tensor]) -> None:
    """Raise UserError unless every mask belongs to a weight and has its shape."""
    for name, mask in masks.items():
        if name not in weights:
            raise UserError(f"there is no prunable weight {name!r} in this model; it has {', '.join(weights)}.")
        if mask.shape != weights[name].shape:
            raise UserError(f"the mask of {name} has shape {list(mask.shape)}, its weight {list(weights[name].shape)}.")


def save_masks(masks: Mapping[str, torch.Tensor], path: str | Path) -> None:
    """Write masks as a safetensors file of bool tensors, all or nothing.

    Raises:
        UserError: the file cannot be written.
    """
    path = Path(path)
    content = {
        name: mask.to("cpu", torch.bool).clone(memory_format=torch.contiguous_format) for name, mask in masks.items()
    }
    try:
        files.write(path, save(content))
    except OSError as error:
        raise UserError(f"the masks could not be written to {path}: {error.strerror or error}.") from error


def load_masks(path: str | Path) -> Masks:
    """Read masks written by `save_masks`.

    Raises:
        UserError: missing or damaged file.
    """
    try:
        files.regular(Path(path))
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} holds no readable masks: {getattr(error, 'strerror', None) or error}.") from error


def to_torch_prune(model: nn.Module, masks: Mapping[str, torch.Tensor]) -> None:
    """Put the masks on through `torch.nn.utils.prune`, whose reparametrisation keeps them on in any training loop."""
    check(prunable(model), masks)
    for name, mask in masks.items():
        module = model.get_submodule(name.removesuffix("weight").rstrip("."))
        torch_prune.custom_from_mask(module, "weight", mask)


def from_torch_prune(model: nn.Module) -> Masks:
    """The masks that `torch.nn.utils.prune` has put on the model's weights."""
    return {
        name.removesuffix("_mask"): buffer.bool()
        for name, buffer in model.named_buffers()
        if name.endswith("weight_mask")
    }
