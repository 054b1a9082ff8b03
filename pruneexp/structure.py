"""Which channels of a network can only be removed together, and their removal: torch-pruning's dependency graph."""

import copy
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from pruneexp.errors import UserError
from pruneexp.layers import PRUNABLE, classifier, prunable
from pruneexp.masks import Masks, check
from pruneexp.torchvision_compat import prepare

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
    network = copy.deepcopy(model)
    return [group for group, _ in _traced(network, input_shape)]


def remove(model: nn.Module, masks: Masks, input_shape: tuple[int, ...]) -> nn.Module:
    """A smaller copy of the network without the channels whose rows the masks prune altogether.

    BatchNorm's channels, biases and the columns of the layers that read them go too. The copy is made of ordinary modules: it is
    saved, loaded and exported without pruneexp.

    Args:
        model: any network that `coupled` takes.
        masks: of neurons, as `structured` makes them, by weight name.
        input_shape: [C, H, W].

    Raises:
        UserError: a mask prunes a channel in one layer and not in one that is coupled to it, and what `coupled` raises.
    """
    check(prunable(model), masks)
    network = copy.deepcopy(model)
    for group, root in _traced(network, input_shape):
        kept = torch.zeros(group.channels, dtype=torch.bool)
        everywhere = torch.ones(group.channels, dtype=torch.bool)
        for name, (rows, channels) in group.outputs.items():
            alive = masks[name].flatten(1).any(dim=1).cpu()[rows]
            kept[channels] |= alive
            everywhere[channels] &= alive
        if not torch.equal(kept, everywhere):
            raise UserError(
                f"the masks prune a channel of {next(iter(group.outputs))} that a coupled layer keeps: they must be masks of"
                " neurons, as masker=structured makes them."
            )
        if not kept.all():
            root.prune(torch.nonzero(~kept).ravel().tolist())
    _run(network, input_shape)
    return network


def _traced(network: nn.Module, input_shape: tuple[int, ...]) -> list[tuple[Coupled, Any]]:
    """The groups, each with torch-pruning's own, which removes channels of `network`."""
    prepare()
    import torch_pruning

    names: dict[nn.Module, str] = {
        module: f"{name}.weight" for name, module in network.named_modules() if isinstance(module, PRUNABLE)
    }
    modes = [(module, module.training) for module in network.modules()]
    parameter = next(network.parameters())
    example = torch.zeros(1, *input_shape, device=parameter.device, dtype=parameter.dtype)
    try:
        with warnings.catch_warnings(), torch.enable_grad():
            warnings.simplefilter("error")  # its guesses about what it does not know come as warnings
            graph = torch_pruning.DependencyGraph().build_dependency(network, example)
            head = network.get_submodule(classifier(network))
            roots = list(graph.get_all_groups(ignored_layers=[head], root_module_types=list(PRUNABLE)))
    except UserError:
        raise
    except Exception as error:  # it lets through whatever the network raises
        first = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise UserError(f"torch-pruning cannot trace this network ({first}): its neurons cannot be removed.") from error
    finally:
        for module, mode in modes:
            module.training = mode
    if not roots:
        raise UserError("torch-pruning finds no channel that could be removed from this network.")
    return [(_group(graph, root, names), root) for root in roots]


def _group(graph: Any, root: Any, names: dict[nn.Module, str]) -> Coupled:
    outputs: dict[str, Places] = {}
    inputs: dict[str, Places] = {}
    for item in root.items:
        module = item.dep.target.module
        if module not in names:
            continue
        if isinstance(module, nn.Conv2d) and module.groups not in (1, module.out_channels):
            raise UserError(f"{names[module]} is a grouped convolution, whose neurons cannot be removed one by one.")
        places = torch.tensor(item.idxs), torch.tensor(item.root_idxs)
        into = outputs if graph.is_out_channel_pruning_fn(item.dep.handler) else inputs
        into[names[module]] = places
    return Coupled(len(root[0].idxs), outputs, inputs)


def _run(network: nn.Module, input_shape: tuple[int, ...]) -> None:
    """Raise UserError where what is left does not fit together."""
    modes = [(module, module.training) for module in network.modules()]
    parameter = next(network.parameters())
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(2, *input_shape, device=parameter.device, dtype=parameter.dtype))
    except RuntimeError as error:
        first = (str(error).splitlines() or [""])[0].rstrip(".")
        raise UserError(
            f"the network does not run without these channels ({first}): it ties them in a way that was not traced."
        ) from error
    finally:
        for module, mode in modes:
            module.training = mode
