"""A network's prunable weights.

Prunable are the weights of Linear, of Conv1d, 2d and 3d, of ConvTranspose1d, 2d and 3d, of MultiheadAttention (the projections of queries,
keys, values and outputs) and, where asked for, of Embedding; never biases or normalisation. A parameter that several modules share
is one weight. Scores and masks have the shape in which torch stores the parameter.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from pruneexp.errors import UserError

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
PRUNABLE = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED)
PROJECTIONS = (
    "q_proj_weight",
    "k_proj_weight",
    "v_proj_weight",
)  # the thirds of attention's in_proj_weight, in its order

_EMBEDDED = "weights_are_prunable"  # the attribute that `prune_embeddings` sets


@dataclass(frozen=True)
class Place:
    """Where a weight is.

    Attributes:
        module: the first prunable module that owns it.
        attribute: its name there.
    """

    module: nn.Module
    attribute: str

    @property
    def weight(self) -> torch.Tensor:
        """The parameter; of attention that holds one matrix for three, a third of its rows (of which `plain` makes a parameter)."""
        whole = getattr(self.module, "in_proj_weight", None) if self.attribute in PROJECTIONS else None
        if whole is not None:
            third: torch.Tensor = whole.chunk(3)[PROJECTIONS.index(self.attribute)]
            return third
        weight: torch.Tensor = getattr(self.module, self.attribute)
        return weight


def places(model: nn.Module, embeddings: bool = False) -> dict[str, Place]:
    """Where the prunable weights are, by parameter name, in the model's order.

    A shared parameter is there once, under its first name in ``model.named_parameters()``; one without elements is not there.

    Args:
        model: a plain network (see `pruneexp.network.plain`).
        embeddings: those of Embedding modules are prunable too.

    Raises:
        UserError: a weight is not initialised yet, or holds no real floating-point numbers.
    """
    firsts = {id(parameter): name for name, parameter in model.named_parameters()}
    found: dict[str, Place] = {}
    for prefix, module in model.named_modules():
        for place in places_in(module, embeddings):
            weight, name = place.weight, f"{prefix}.{place.attribute}".removeprefix(".")
            _check(name, module, weight)
            if weight.numel():
                found.setdefault(firsts.get(id(weight), name), place)
    return found


def places_in(module: nn.Module, embeddings: bool = False) -> list[Place]:
    """Where a single module has prunable weights of its own, those of the modules within it left out."""
    if isinstance(module, nn.MultiheadAttention):  # its out_proj is a Linear
        return [Place(module, name) for name in PROJECTIONS if hasattr(module, name)]
    embedded = isinstance(module, nn.Embedding) and (embeddings or hasattr(module, _EMBEDDED))
    return [Place(module, "weight")] if embedded or isinstance(module, PRUNABLE) else []


def _check(name: str, module: nn.Module, weight: torch.Tensor | None) -> None:
    if weight is not None and is_lazy(weight):
        raise UserError(
            f"{name} is a {type(module).__name__}'s and not there before the model has run: call the model once, on a batch, first."
        )
    if not isinstance(weight, torch.Tensor) or not weight.is_floating_point():
        what = weight.dtype if isinstance(weight, torch.Tensor) else type(weight).__name__
        raise UserError(f"{name} is {what}, and pruneexp prunes weights that are real floating-point numbers.")
    if type(weight.detach()) is not torch.Tensor or weight.layout != torch.strided:
        what = f"a {type(weight.detach()).__name__} in layout {str(weight.layout).removeprefix('torch.')}"
        raise UserError(
            f"{name} is {what}, and pruneexp prunes ordinary dense tensors: do so before they are sharded or packed."
        )


def prunable_layers(model: nn.Module, embeddings: bool = False) -> dict[str, nn.Module]:
    """The modules of the prunable weights by the weights' names, in the model's order; of projections the MultiheadAttention."""
    return {name: place.module for name, place in places(model, embeddings).items()}


def prunable(model: nn.Module, embeddings: bool = False) -> dict[str, torch.Tensor]:
    """The prunable weights by parameter name, in the model's order.

    Args:
        model: a plain network, whose parameters they then are.
        embeddings: those of Embedding modules too.

    Raises:
        UserError: the model has none, or what `places` raises.
    """
    weights = {name: place.weight for name, place in places(model, embeddings).items()}
    if not weights:
        raise UserError(
            "this model has no prunable layer: pruneexp prunes the weights of Linear, Conv, ConvTranspose and MultiheadAttention modules."
        )
    return weights


def outputs_first(module: nn.Module, tensor: torch.Tensor) -> torch.Tensor:
    """A weight, or scores or a mask of it, with a row for each output: [C_out, C_in / groups, ...].

    ConvTranspose stores [C_in, C_out / groups, ...] and Embedding [n, d], where d are the outputs; all others are as they should be.

    Args:
        module: the layer, as `prunable_layers` tells it.
        tensor: shaped as the layer's weight.
    """
    if isinstance(module, nn.Embedding):
        return tensor.T.contiguous()
    return _turned(tensor, module.groups) if isinstance(module, TRANSPOSED) else tensor


def as_stored(module: nn.Module, tensor: torch.Tensor) -> torch.Tensor:
    """What `outputs_first` turned, in the shape of the layer's weight again."""
    return outputs_first(module, tensor)  # swapping two dimensions twice changes nothing


def turned(
    turn: Callable[[nn.Module, torch.Tensor], torch.Tensor], model: nn.Module, tensors: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Tensors by weight name of a plain network, each turned by `outputs_first` or `as_stored` of its layer."""
    layers = prunable_layers(model)
    return {name: turn(layers[name], value) for name, value in tensors.items()}


def _turned(tensor: torch.Tensor, groups: int) -> torch.Tensor:
    """[a, b / groups, ...] -> [b, a / groups, ...], group by group."""
    return tensor.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1).contiguous()


def prune_embeddings(network: nn.Module) -> None:
    """Have the weights of this plain network's Embedding modules, and of its copies', counted among the prunable from now on."""
    for module in network.modules():
        if isinstance(module, nn.Embedding):
            setattr(module, _EMBEDDED, True)


def biases(model: nn.Module) -> list[torch.Tensor]:
    """The biases of prunable layers, in the model's order; those of normalisation are not among them."""
    layers = [module for module in model.modules() if isinstance(module, (*PRUNABLE, nn.MultiheadAttention))]
    found = [one.in_proj_bias if isinstance(one, nn.MultiheadAttention) else one.bias for one in layers]
    return [bias for bias in found if bias is not None]


def freeze_biases(model: nn.Module) -> None:
    """Keep the biases of prunable layers out of training; those of normalisation are trained."""
    for bias in biases(model):
        bias.requires_grad_(False)


@contextlib.contextmanager
def modes_kept(model: nn.Module) -> Iterator[None]:
    """Whatever happens inside, afterwards every module is in training or eval mode as before."""
    modes = {module: module.training for module in model.modules()}
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def classifier(model: nn.Module) -> str:
    """The name of the last Linear module, in the model's order: the layer whose outputs are the classes.

    Raises:
        UserError: there is none.
    """
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not names:
        raise UserError("this model has no Linear layer whose outputs could be the classes.")
    return names[-1]
