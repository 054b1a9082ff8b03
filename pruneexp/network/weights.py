"""Pretrained weights: torchvision's, or a file's."""

import functools
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import nn

from pruneexp.errors import UserError, first_line
from pruneexp.network.compaction import State, restore
from pruneexp.network.masks import load_masks
from pruneexp.network.prunable import PROJECTIONS, classifier, prunable
from pruneexp.system import files

WEIGHTS, MASKS, SMALLER = "weights.safetensors", "masks.safetensors", "network.pt2"  # in a finished cell's folder
MASKS_AT_START = (
    "masks_start.safetensors"  # of a cell whose masks change while it trains; the others are those of its weights
)
COUNTER = ".num_batches_tracked"
OTHERWISE = ("googlenet", "inception")  # made with aux_logits and transform_input where torchvision loads weights


def fingerprint(weights: str) -> str:
    """What tells one source of weights from another in a cell's key: its name, or the file's SHA-256, of a pruned cell's kept values and
    its masks' together - never a path.

    Raises:
        UserError: neither ``imagenet`` nor a readable file.
    """
    if weights == "imagenet":
        return weights
    path = _file(weights)
    found, masks = _digest(*_stat(path)), _masks_of(path)
    if masks is not None:
        found = hashlib.sha256(f"{found} {_digest(*_stat(masks))}".encode()).hexdigest()
    return f"sha256:{found[:16]}"


def load_weights(network: nn.Module, weights: str, architecture: str | None = None) -> None:
    """Fill `network` with pretrained weights and BatchNorm statistics; its classifier stays as it was made.

    Args:
        network: changed in place.
        weights: ``imagenet``, or the path of a state dict (.safetensors, .pth), or of a finished cell's folder. Of a pruned cell the masks
            say where its zeros are: they are values like the others, which training changes, and nothing stays masked.
        architecture: torchvision's name of the network, for ``imagenet``.

    Raises:
        UserError: missing, not to be downloaded, damaged, or of another architecture; the network is as it was.
    """
    own = network.state_dict()
    state = _split(_imagenet(architecture) if weights == "imagenet" else _state(_file(weights)), own)
    head = f"{classifier(network)}."
    if any(name in state and state[name].dim() == 1 for name in prunable(network)):  # `compact` made them
        raise UserError(
            f"weights={weights} are a pruned cell's kept values alone: name the cell's folder, where {MASKS} says what they are of."
        )
    # BatchNorm's count of batches is of no use here, and torchvision's files lack it
    wanted, given = (
        {name: value.shape for name, value in some.items() if not name.startswith(head) and not name.endswith(COUNTER)}
        for some in (own, state)
    )
    if wanted != given:
        differ = sorted(name for name in wanted.keys() | given.keys() if wanted.get(name) != given.get(name))
        raise UserError(
            f"weights={weights} are of another network: {differ[0]} is {_shape(given, differ[0])} there and"
            f" {_shape(wanted, differ[0])} here ({len(differ)} such tensors); choose the model they were trained with."
        )
    network.load_state_dict({**own, **{name: state[name] for name in wanted}})


def as_built(network: nn.Module) -> State:
    """A plain network's state dict under the names of the model before (`pruneexp.network.plain`): attention's three matrices are one."""
    state: State = dict(network.state_dict())
    for name, module in network.named_modules():
        if isinstance(module, nn.MultiheadAttention) and module.kdim == module.vdim == module.embed_dim:
            prefix = f"{name}.".removeprefix(".")
            if f"{prefix}{PROJECTIONS[0]}" in state:
                state[f"{prefix}in_proj_weight"] = torch.cat([state.pop(prefix + third) for third in PROJECTIONS])
    return state


def packed(tensors: Mapping[str, torch.Tensor]) -> bytes:
    """Tensors of any device and layout, such as a state dict, as the content of a safetensors file."""
    plain = {name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()}
    return safetensors.torch.save(plain)


def misfit(found: object, wanted: Mapping[str, torch.Tensor], exact: bool = True) -> str:
    """Why tensors that were read cannot stand for others, to be put into a sentence; nothing where they can.

    Args:
        found: by name: the same names, and plain numbers in the same shapes, on the CPU.
        wanted: what they are to stand for.
        exact: whether the numbers must be of the same type, too: loaded into others they would be rounded without a word.
    """
    if not isinstance(found, Mapping):
        return f"it is {type(found).__name__} and should hold tensors by name"
    if differ := sorted(map(str, found.keys() ^ wanted.keys())):
        return f"{differ[0]} is {'missing' if differ[0] in wanted else 'not known here'}"
    for name, like in wanted.items():
        value = found[name]
        if not isinstance(value, torch.Tensor):
            return f"{name} is {type(value).__name__} and should be a tensor"
        if value.layout != torch.strided or value.device.type != "cpu" or value.is_quantized:
            return f"{name} is no array of plain numbers"
        if (
            value.shape != like.shape
            or value.is_complex() != like.is_complex()
            or (exact and value.dtype != like.dtype)
        ):
            return f"{name} is {_kind(value)} and should be {_kind(like)}"
    return ""


def not_finite(found: Mapping[str, torch.Tensor]) -> str:
    """The first of the tensors with a number that is not finite, as part of a sentence; nothing where there is none."""
    return next((f"{name} is not finite" for name, value in found.items() if not bool(value.isfinite().all())), "")


def _kind(tensor: torch.Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


def _split(state: State, own: State) -> State:
    """The state with three matrices for attention's one where the network has three (see `pruneexp.network.plain`)."""
    result: State = {}
    for name, value in state.items():
        thirds = [name.removesuffix("in_proj_weight") + third for third in PROJECTIONS]
        split = name.endswith("in_proj_weight") and name not in own and thirds[0] in own
        result |= dict(zip(thirds, value.chunk(3), strict=True)) if split else {name: value}
    return result


def _shape(shapes: dict[str, torch.Size], name: str) -> str:
    return str(list(shapes[name])) if name in shapes else "missing"


def _file(weights: str) -> Path:
    path = Path(weights)
    path = path / WEIGHTS if os.path.isdir(path) else path  # pathlib raises for a name that is too long
    there = os.path.isfile(path)
    if path.name == SMALLER or (not there and path.name == WEIGHTS and os.path.isfile(path.with_name(SMALLER))):
        raise UserError(
            f"weights={weights} are of a cell whose neurons were removed, and its network is smaller than any model of conf/model: take a"
            " cell of the whole network; the smaller one itself pruneexp.load_cell and mode=export give."
        )
    if not there:
        raise UserError(
            f"weights must be none, imagenet, or the file of a state dict or a cell's folder, and there is no {path}:"
            " `python -m pruneexp +experiment=pretrain_cifar100` trains a network and prints its cell's name."
        )
    return path


def _masks_of(path: Path) -> Path | None:
    """The masks of the cell whose weights these are; None where they say nothing, as the weights are there with their zeros."""
    masks = path.with_name(MASKS)
    if path.name != WEIGHTS or not os.path.isfile(masks):
        return None
    return masks if _compacted(*_stat(path), *_stat(masks)) else None


@functools.lru_cache(maxsize=8)
def _compacted(path: Path, _modified: int, _size: int, masks: Path, *_state: int) -> bool:
    """Whether a file has the kept values alone of a weight that has a mask in the other."""
    try:
        with safetensors.safe_open(path, "pt") as held, safetensors.safe_open(masks, "pt") as beside:
            both = set(held.keys()) & set(beside.keys())
            return any(held.get_slice(name).get_shape() != beside.get_slice(name).get_shape() for name in both)
    except (OSError, safetensors.SafetensorError) as error:
        raise UserError(f"weights={path} cannot be read, with {MASKS} beside it: {first_line(error)}.") from error


def _state(path: Path) -> State:
    """What a file holds, whole."""
    found, masks = _read(path), _masks_of(path)
    if masks is None:
        return found
    kept = load_masks(masks)
    try:
        return restore(found, kept)
    except UserError as error:
        raise UserError(f"weights={path} does not go with the {MASKS} beside it: {first_line(error)}.") from error


def _stat(path: Path) -> tuple[Path, int, int]:
    stat = path.stat()
    return path, stat.st_mtime_ns, stat.st_size


@functools.lru_cache(maxsize=8)
def _digest(path: Path, modified: int, size: int) -> str:
    try:
        with files.opened(path) as file:
            files.check_size(os.fstat(file.fileno()), files.LARGEST)
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"weights={path} cannot be read: {error.strerror}.") from error


def _read(path: Path) -> State:
    try:
        if path.suffix == ".safetensors":
            files.regular(path)
            state: State = safetensors.torch.load_file(path)
        else:
            with files.opened(path) as file:
                state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise anything
        raise UserError(
            f"weights={path} is no readable state dict ({type(error).__name__}): {first_line(error)}."
        ) from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()
    ):
        raise UserError(
            f"weights={path} is no state dict: it must hold tensors by name, as torch.save(model.state_dict())."
        )
    return state


def _imagenet(architecture: str | None) -> State:
    """IMAGENET1K_V1, from torch's cache of downloads or from there where it is missing."""
    from torchvision import models

    if architecture is None:
        raise UserError(
            "weights=imagenet are torchvision's and go with model=torchvision_resnet18 and its like, or model=torchvision: of another"
            " network take weights=PATH, a state dict."
        )
    if architecture.partition("_")[0] in OTHERWISE:
        raise UserError(
            f"torchvision's ImageNet weights of {architecture} are of a network with auxiliary classifiers that normalises its images anew,"
            " and the network here does neither: take another architecture, or weights=none."
        )
    offered = models.get_model_weights(architecture).__members__
    if "IMAGENET1K_V1" not in offered:
        raise UserError(
            f"torchvision has no weights IMAGENET1K_V1 of {architecture}: take weights=PATH, or weights=none."
        )
    url = offered["IMAGENET1K_V1"].url
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    name = url.rpartition("/")[2]
    try:
        state: State = torch.hub.load_state_dict_from_url(url, map_location="cpu", check_hash=True, weights_only=True)
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"torchvision's ImageNet weights {name} are not in {folder} and cannot be downloaded ({first_line(error)}): put the file"
            " there, or take weights=PATH, or weights=none."
        ) from error
    return state
