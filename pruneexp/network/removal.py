"""Removing channels: a smaller network of ordinary modules from one with neurons masked."""

import copy
import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from pruneexp.errors import UserError, first_line
from pruneexp.network.coupling import Coupled, coupled
from pruneexp.network.masks import Masks, apply_masks, check, everything
from pruneexp.network.plain import plain
from pruneexp.network.prunable import TRANSPOSED, outputs_first, prunable, turned
from pruneexp.network.trace import runnable
from pruneexp.network.usual import as_usual

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED)


def neuron_masks(groups: Sequence[Coupled], kept: Sequence[torch.Tensor], weights: Mapping[str, torch.Tensor]) -> Masks:
    """Masks by weight name: False in the rows of the channels that go and in the columns that read them.

    Args:
        groups: of a network.
        kept: bool [channels] of each group.
        weights: all prunable ones, or tensors shaped like them, outputs first.
    """
    masks = everything(weights)
    for group, stays in zip(groups, kept, strict=True):
        for name, (rows, channels) in group.outputs.items():
            masks[name][rows[~stays[channels]]] = False
        for name, (columns, channels) in group.inputs.items():
            masks[name][:, columns[~stays[channels]]] = False
    return masks


@as_usual()
def remove(model: nn.Module, masks: Masks, input_shape: tuple[int, ...]) -> nn.Module:
    """A smaller copy of the network without the channels whose rows the masks prune altogether.

    Biases, normalisation, whatever else meets these channels one by one, and the columns of the layers that read them go too. The
    copy is made of ordinary modules: it is saved, loaded and exported without pruneexp, and gives the outputs of the masked network in
    eval mode, which is checked.

    Args:
        model: any network that `pruneexp.network.coupling.coupled` takes, as `pruneexp.network.plain.plain` makes it of others.
        masks: of neurons, as `structured` makes them, by weight name; a layer without one keeps everything.
        input_shape: of one input: [C, H, W] of images.

    Raises:
        UserError: the masks are not of neurons, or prune a channel in one layer and not in one that is coupled to it, or leave
            none; what is left computes something else; and what `plain` and `coupled` raise.
    """
    network = plain(model)
    weights = prunable(network)
    check(weights, masks)
    whole = everything(weights) | {name: mask.cpu() for name, mask in masks.items()}
    faced = turned(outputs_first, network, whole)
    groups = coupled(network, input_shape)
    kept = []
    for group in groups:
        stays = torch.ones(group.channels, dtype=torch.bool)
        for name, (rows, channels) in group.outputs.items():
            stays[channels[~faced[name].flatten(1).any(dim=1)[rows]]] = False
        if not stays.any():
            raise UserError(f"the masks leave no neuron of {next(iter(group.outputs))}.")
        kept.append(stays)
    expected = neuron_masks(groups, kept, faced)
    differ = [name for name, mask in faced.items() if not torch.equal(mask, expected[name])]
    if differ:
        raise UserError(
            f"the mask of {differ[0]} is not one of whole neurons, gone from each layer that is coupled and each that reads them:"
            " take masks that masker=structured makes."
        )
    smaller = without(network, groups, kept)
    apply_masks(network, whole)
    _compare(network.double().eval(), copy.deepcopy(smaller).double().eval(), input_shape)
    return smaller


def without(network: nn.Module, groups: Sequence[Coupled], kept: Sequence[torch.Tensor]) -> nn.Module:
    """A copy of a plain network, on any device, in which of each group of channels these are left, bool [channels]; not compared."""
    smaller = copy.deepcopy(network)
    _slice(smaller, groups, kept)
    return smaller


def shares_left(groups: Sequence[Coupled], kept: Sequence[torch.Tensor], network: nn.Module) -> dict[str, float]:
    """The share of each prunable weight that is left where of each group of channels these are, bool [channels]."""
    shares = {}
    for name, weight in turned(outputs_first, network, prunable(network)).items():
        lines = [torch.ones(count, dtype=torch.bool) for count in weight.shape[:2]]
        for group, stays in zip(groups, kept, strict=True):
            for line, places in zip(lines, (group.outputs, group.inputs), strict=True):
                if name in places:
                    index, channels = places[name]
                    line[index] = stays[channels]
        shares[name] = math.prod(float(line.double().mean()) for line in lines)
    return shares


def _slice(network: nn.Module, groups: Sequence[Coupled], kept: Sequence[torch.Tensor]) -> None:
    """Take the channels out of every parameter and buffer that has some, wherever it is shared, and out of what the modules say of them."""
    tensors: dict[str, torch.Tensor] = dict(network.named_parameters(remove_duplicate=False))
    tensors |= dict(network.named_buffers(remove_duplicate=False))
    left: dict[tuple[str, int], torch.Tensor] = {}
    for group, stays in zip(groups, kept, strict=True):
        for (name, dimension), (index, channels) in group.slices.items():
            whole = left.setdefault((name, dimension), torch.ones(tensors[name].shape[dimension], dtype=torch.bool))
            whole[index] = stays[channels]
    smaller: dict[int, torch.Tensor] = {}  # by the id of the whole tensor, which modules may share
    for (name, dimension), stay in left.items():
        old = tensors[name]
        part = smaller.get(id(old), old.detach())
        smaller[id(old)] = part.index_select(dimension, torch.nonzero(stay).ravel().to(old.device))
    made: dict[int, nn.Parameter] = {}
    for module in network.modules():
        for key, parameter in module._parameters.items():
            if parameter is not None and id(parameter) in smaller:
                new = nn.Parameter(smaller[id(parameter)], requires_grad=parameter.requires_grad)
                module._parameters[key] = made.setdefault(id(parameter), new)
        for key, buffer in module._buffers.items():
            module._buffers[key] = smaller.get(id(buffer), buffer) if buffer is not None else None
        _tell(module)


def _tell(module: nn.Module) -> None:
    """Set the sizes that a module knows of itself to those of its tensors."""
    if isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, CONVOLUTIONS):
        backwards = isinstance(module, TRANSPOSED)
        first = module.in_channels if backwards else module.out_channels
        if module.groups > 1:  # only depthwise ones have become smaller, with a group for each channel
            module.groups = module.groups * module.weight.shape[0] // first
        ends = module.weight.shape[0], module.weight.shape[1] * module.groups
        module.in_channels, module.out_channels = ends if backwards else ends[::-1]
    elif isinstance(module, nn.PReLU):
        module.num_parameters = module.weight.numel()
    elif isinstance(module, (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm)):
        known = module.weight if module.weight is not None else module.running_mean
        module.num_features = module.num_features if known is None else known.numel()


def _compare(masked: nn.Module, smaller: nn.Module, input_shape: tuple[int, ...]) -> None:
    """Raise UserError unless the smaller network runs and gives the masked one's outputs on a random input, both in float64."""
    example, generator = runnable(masked, tuple(input_shape)), torch.Generator().manual_seed(0)
    if example.is_floating_point():
        given = torch.randn(example.shape, generator=generator, dtype=torch.float64).to(example.device)
    else:
        words = min(
            (module.num_embeddings for module in masked.modules() if isinstance(module, nn.Embedding)), default=2
        )
        given = torch.randint(words, example.shape, generator=generator).to(example.device)
    with torch.no_grad():
        want = list(_tensors(masked(given)))
        try:
            got = list(_tensors(smaller(given)))
        except Exception as error:  # it lets through whatever the network raises
            raise UserError(
                f"the network does not run without these channels ({first_line(error)}): it ties them in a way that was not traced."
            ) from error
    if len(got) != len(want) or not all(_close(one, other) for one, other in zip(got, want, strict=True)):
        raise UserError(
            "without these channels the network computes something else than with their weights at zero: it ties them in a way"
            " that was not traced, or normalises over channels."
        )


def _close(got: torch.Tensor, want: torch.Tensor) -> bool:
    if got.shape != want.shape:
        return False
    got, want = got.double(), want.double()
    tolerance = 1e-6 * float(want.abs().max().nan_to_num(1.0)) if want.numel() else 0.0
    return torch.allclose(got, want, rtol=0, atol=tolerance, equal_nan=True)


def _tensors(output: Any) -> Iterator[torch.Tensor]:
    """The tensors that a network gives, in lists, tuples, mappings and dataclasses."""
    if isinstance(output, torch.Tensor):
        yield output
    elif isinstance(output, Mapping):
        for part in output.values():
            yield from _tensors(part)
    elif dataclasses.is_dataclass(output):
        for field in dataclasses.fields(output):
            yield from _tensors(getattr(output, field.name))
    elif isinstance(output, (list, tuple)):
        for part in output:
            yield from _tensors(part)
