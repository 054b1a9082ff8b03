"""Masks of a network: putting them on, and saving them.

Masks are {weight name: bool tensor shaped like the weight}; True is kept. The names are the plain network's (`pruneexp.network.plain`),
whatever wraps the user's model: attention that holds one matrix for three has three masks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import nn

from pruneexp.components.values import shown
from pruneexp.errors import UserError, near, reason
from pruneexp.network.computed import computed, is_torch_pruned, keep, recompute
from pruneexp.network.plain import modules_by_name, owners, reference
from pruneexp.network.prunable import PROJECTIONS, prunable
from pruneexp.system import files

Masks = dict[str, torch.Tensor]
FEW = 8  # names in a sentence


@dataclass(frozen=True)
class Spot:
    """A tensor of the user's model that a mask is for: a module, an attribute, and the bool mask of all of it, on its device."""

    module: nn.Module
    attribute: str
    mask: torch.Tensor


def everything(weights: Mapping[str, torch.Tensor]) -> Masks:
    """The masks that keep all of these weights, on the CPU."""
    return {name: torch.ones(weight.shape, dtype=torch.bool) for name, weight in weights.items()}


def apply_masks(model: nn.Module, masks: Mapping[str, torch.Tensor]) -> None:
    """Set the pruned weights of `model` to zero, in place: NaN, infinity and frozen weights too.

    A training step can revive them: train with `pruneexp.training`, or use `keep_masks` or `to_torch_prune`. A weight that
    parametrizations, weight_norm or spectral_norm compute cannot be zeroed in what it is computed from, since its other values would
    change: it gets its mask as the last of what computes it (as by `keep_masks`), and keeps it.

    Args:
        model: any network, wrapped, with shared or computed weights too; its weights' names are the plain network's.
        masks: bool, or numbers that are all 0 or 1, by weight name; a weight without one stays as it is.

    Raises:
        UserError: a mask's name, shape or values are not those of a mask of a prunable weight of the model; nothing is changed then.
    """
    for spot in spots(model, masks):
        module, attribute = spot.module, spot.attribute
        if attribute not in computed(module):
            clear(getattr(module, attribute), ~spot.mask)
        elif is_torch_pruned(module, attribute):
            clear(getattr(module, f"{attribute}_orig"), ~spot.mask)
            recompute(module, attribute)
        else:
            keep(module, attribute, spot.mask)


def clear(tensor: torch.Tensor, where: torch.Tensor) -> None:
    """Zeros in place, where `where` is True, in parameters and tensors of every kind."""
    with torch.inference_mode(tensor.is_inference()), torch.no_grad():  # the first allows gradients again
        tensor.masked_fill_(where, 0)


def spots(model: nn.Module, masks: Mapping[str, torch.Tensor]) -> list[Spot]:
    """The tensors of the user's model that masks are for, a shared weight's under each of its owners.

    Raises:
        UserError: what `check` raises.
    """
    network = reference(model)
    check(prunable(network, embeddings=True), masks)
    modules, owned = modules_by_name(model), owners(network)
    found: dict[tuple[str, str], torch.Tensor] = {}
    for name, mask in masks.items():
        for prefix, attribute in owned[name]:
            module = modules[prefix]
            if attribute in PROJECTIONS and getattr(module, "_qkv_same_embed_dim", False):
                whole = torch.ones(3 * len(mask), *mask.shape[1:], dtype=torch.bool)
                whole = found.setdefault((prefix, "in_proj_weight"), whole)
                whole.chunk(3)[PROJECTIONS.index(attribute)].copy_(mask)
            else:
                found[prefix, attribute] = mask
    return [_spot(modules[prefix], attribute, mask) for (prefix, attribute), mask in found.items()]


def trainable(found: list[Spot]) -> list[Spot]:
    """The same tensors.

    Raises:
        UserError: one was made under torch.inference_mode(), so that no training loop can take it.
    """
    for spot in found:
        if any(parameter.is_inference() for parameter in spot.module.parameters(recurse=False)):
            kind = type(spot.module).__name__
            raise UserError(
                f"a {kind} was made under torch.inference_mode() and cannot be trained: build it outside, or use apply_masks."
            )
    return found


def _spot(module: nn.Module, attribute: str, mask: torch.Tensor) -> Spot:
    with torch.no_grad():
        return Spot(module, attribute, mask.to(getattr(module, attribute).device, torch.bool, copy=True))


def named(model: nn.Module, found: Mapping[tuple[str, str], torch.Tensor]) -> Masks:
    """Masks by weight name, on the CPU, of those by (module's name, attribute) in the user's model.

    What is no prunable weight is left out.
    """
    network = reference(model)
    modules = modules_by_name(model)
    masks: Masks = {}
    for name, places in owners(network).items():
        for prefix, attribute in places:
            mask = found.get((prefix, attribute))
            if attribute in PROJECTIONS and getattr(modules[prefix], "_qkv_same_embed_dim", False):
                whole = found.get((prefix, "in_proj_weight"))
                mask = None if whole is None else whole.chunk(3)[PROJECTIONS.index(attribute)]
            if mask is not None:
                mask = mask.to("cpu", torch.bool, copy=True)
                masks[name] = masks[name] & mask if name in masks else mask
    return masks


def check(weights: Mapping[str, torch.Tensor], masks: Mapping[str, torch.Tensor]) -> None:
    """Raise UserError unless every mask belongs to a weight, has its shape, and is bool or of numbers that are 0 or 1."""
    if not isinstance(masks, Mapping):
        raise UserError(f"masks must be a mapping of bool tensors by weight name, got {shown(masks)}.")
    for name, mask in masks.items():
        if name not in weights:
            raise UserError(f"there is no prunable weight {name!r} in this model; {_known(str(name), list(weights))}.")
        if not isinstance(mask, torch.Tensor):
            raise UserError(f"the mask of {name} must be a bool tensor, got {shown(mask)}.")
        if mask.shape != weights[name].shape:
            raise UserError(f"the mask of {name} has shape {list(mask.shape)}, its weight {list(weights[name].shape)}.")
        if mask.dtype != torch.bool and not bool(((mask == 0) | (mask == 1)).all()):
            raise UserError(f"the mask of {name} must be bool, or hold nothing but 0 (pruned) and 1 (kept).")


def _known(name: str, names: list[str]) -> str:
    if len(names) <= FEW:
        return f"it has {', '.join(names)}"
    return f"it has {len(names)}, of which {', '.join(near(name, names) or names[:FEW])} are nearest"


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
        raise UserError(
            f"the masks could not be written to {path} ({error.strerror or error}): {files.remedy(error)}."
        ) from error


def load_masks(path: str | Path) -> Masks:
    """Read masks written by `save_masks`.

    Raises:
        UserError: missing or damaged file, or one of other tensors than bool ones.
    """
    try:
        files.regular(Path(path))
        found = load_file(path)
        wrong = [name for name, mask in found.items() if mask.dtype != torch.bool]
        if wrong:
            raise ValueError(f"{wrong[0]} is {found[wrong[0]].dtype} and a mask is torch.bool")
        # copies, for load_file's tensors lie in the file, and a file that is cut short under them ends the process
        return {name: mask.clone() for name, mask in found.items()}
    except Exception as error:  # a damaged file can make the reader fail in any way
        why = reason(error)
        raise UserError(f"{path} holds no readable masks: {why}.") from error
