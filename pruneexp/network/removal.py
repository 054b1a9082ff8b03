"""Which channels of a network can only be removed together, and their removal: torch-pruning's dependency graph."""

import copy
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from pruneexp.errors import UserError, first_line
from pruneexp.network.masks import Masks, apply_masks, check, everything
from pruneexp.network.outputs import logits
from pruneexp.network.plain import plain
from pruneexp.network.prunable import classifier, modes_kept, prunable, prunable_layers
from pruneexp.system.torchvision_compat import prepare

LAYERS = (nn.Linear, nn.Conv2d)  # whose neurons can go
Places = tuple[torch.Tensor, torch.Tensor]  # int64 rows (or columns) of a weight, int64 the channel of each


@dataclass(frozen=True)
class Coupled:
    """Channels that layers share: removing channel k means its row in every output layer and its columns in every reader.

    Attributes:
        channels: their number.
        outputs: by weight name, the rows that make these channels.
        inputs: by weight name, the columns (of dimension 1) that read them; several a channel after flattening.
    """

    channels: int
    outputs: dict[str, Places]
    inputs: dict[str, Places]


def coupled(model: nn.Module, input_shape: tuple[int, ...]) -> list[Coupled]:
    """The groups of coupled channels (Fang et al. 2023, "DepGraph"), all but the classes; the model is left as it is.

    Args:
        model: of Conv2d (dense or depthwise), Linear, BatchNorm, pooling, activations, additions and products.
        input_shape: [C, H, W].

    Raises:
        UserError: torch-pruning cannot trace the network, or finds nothing that could go.
    """
    network = plain(model)
    return [group for group, _ in _traced(network, input_shape)]


def neuron_masks(groups: Sequence[Coupled], kept: Sequence[torch.Tensor], weights: Mapping[str, torch.Tensor]) -> Masks:
    """Masks by weight name: False in the rows of the channels that go and in the columns that read them.

    Args:
        groups: of a network.
        kept: bool [channels] of each group.
        weights: all prunable ones, or tensors shaped like them.
    """
    masks = everything(weights)
    for group, stays in zip(groups, kept, strict=True):
        for name, (rows, channels) in group.outputs.items():
            masks[name][rows[~stays[channels]]] = False
        for name, (columns, channels) in group.inputs.items():
            masks[name][:, columns[~stays[channels]]] = False
    return masks


def remove(model: nn.Module, masks: Masks, input_shape: tuple[int, ...]) -> nn.Module:
    """A smaller copy of the network without the channels whose rows the masks prune altogether.

    BatchNorm's channels, biases and the columns of the layers that read them go too. The copy is made of ordinary modules: it is
    saved, loaded and exported without pruneexp, and gives the outputs of the masked network in eval mode, which is checked.

    Args:
        model: any network that `coupled` takes.
        masks: of neurons, as `structured` makes them, by weight name; a layer without one keeps everything.
        input_shape: [C, H, W].

    Raises:
        UserError: the masks are not of neurons, or prune a channel in one layer and not in one that is coupled to it, or leave
            none; what is left computes something else; and what `coupled` raises.
    """
    model = plain(model)
    weights = prunable(model)
    check(weights, masks)
    whole = everything(weights) | {name: mask.cpu() for name, mask in masks.items()}
    network = copy.deepcopy(model)
    traced = _traced(network, input_shape)
    kept = []
    for group, _ in traced:
        stays = torch.ones(group.channels, dtype=torch.bool)
        for name, (rows, channels) in group.outputs.items():
            stays[channels[~whole[name].flatten(1).any(dim=1)[rows]]] = False
        if not stays.any():
            raise UserError(f"the masks leave no neuron of {next(iter(group.outputs))}.")
        kept.append(stays)
    expected = neuron_masks([group for group, _ in traced], kept, weights)
    differ = [name for name, mask in whole.items() if not torch.equal(mask, expected[name])]
    if differ:
        raise UserError(
            f"the mask of {differ[0]} is not one of whole neurons, gone from each layer that is coupled and each that reads them:"
            " take masks that masker=structured makes."
        )
    for (_, root), stays in zip(traced, kept, strict=True):
        if not stays.all():
            root.prune(torch.nonzero(~stays).ravel().tolist())
    _compare(model, whole, network, input_shape)
    return network


def _traced(network: nn.Module, input_shape: tuple[int, ...]) -> list[tuple[Coupled, Any]]:
    """The groups, each with torch-pruning's own, which removes channels of `network`."""
    prepare()
    import torch_pruning

    layers = prunable_layers(network)
    names = {module: name for name, module in layers.items() if isinstance(module, LAYERS)}
    parameter = next(network.parameters())
    example = torch.zeros(1, *input_shape, device=parameter.device, dtype=parameter.dtype)
    try:
        with modes_kept(network), warnings.catch_warnings(), torch.enable_grad():
            warnings.simplefilter("error")  # its guesses about what it does not know come as warnings
            graph = torch_pruning.DependencyGraph().build_dependency(network, example)
            head = network.get_submodule(classifier(network))
            roots = list(graph.get_all_groups(ignored_layers=[head], root_module_types=list(LAYERS)))
    except UserError:
        raise
    except Exception as error:  # it lets through whatever the network raises
        raise UserError(
            f"torch-pruning cannot trace this network ({first_line(error)}): its neurons cannot be removed."
        ) from error
    if not roots:
        raise UserError("torch-pruning finds no channel that could be removed from this network.")
    groups = [(_group(graph, root, names), root) for root in roots]
    missed = names.keys() - {head} - {module for module in names if any(names[module] in g.outputs for g, _ in groups)}
    if missed:
        first = next(name for module, name in names.items() if module in missed)
        raise UserError(f"torch-pruning cannot trace this network: it does not see how {first} leads to the outputs.")
    return groups


def _group(graph: Any, root: Any, names: Mapping[nn.Linear | nn.Conv2d, str]) -> Coupled:
    outputs: dict[str, Places] = {}
    inputs: dict[str, Places] = {}
    number = len(root[0].idxs)
    for item in root.items:
        module = item.dep.target.module
        if module not in names:
            continue
        name = names[module]
        if (
            isinstance(module, nn.Conv2d)
            and module.groups > 1
            and not module.groups == module.in_channels == module.out_channels
        ):
            raise UserError(f"{name} is a grouped convolution, whose neurons cannot be removed one by one.")
        made = graph.is_out_channel_pruning_fn(item.dep.handler)
        places = torch.tensor([item.idxs, item.root_idxs])
        into, dimension = (outputs, 0) if made else (inputs, 1)
        if name in into:  # reached on two ways
            places = torch.cat([torch.stack(into[name]), places], dim=1).unique(dim=1)
        if int(places[0].max()) >= module.weight.shape[dimension] or int(places[1].max()) >= number:
            raise UserError(f"torch-pruning cannot trace this network: it loses count of the channels of {name}.")
        into[name] = places[0], places[1]
    return Coupled(number, outputs, inputs)


def _compare(model: nn.Module, masks: Masks, smaller: nn.Module, input_shape: tuple[int, ...]) -> None:
    """Raise UserError unless the smaller network runs and gives the masked one's outputs, on random images in float64."""
    like = next(model.parameters())
    images = torch.randn(2, *input_shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(
        like.device
    )
    masked, alone = (copy.deepcopy(network).double().eval() for network in (model, smaller))
    apply_masks(masked, masks)
    with torch.no_grad():
        try:
            got = logits(alone(images))
        except RuntimeError as error:
            raise UserError(
                f"the network does not run without these channels ({first_line(error)}): it ties them in a way that was not traced."
            ) from error
        want = logits(masked(images))
    if not torch.allclose(got, want, rtol=0, atol=1e-6 * float(want.abs().max().nan_to_num(1.0)), equal_nan=True):
        raise UserError(
            "without these channels the network computes something else than with their weights at zero: it ties them in a way"
            " that was not traced, or normalises over channels."
        )
