"""Whatever network people bring, as an ordinary one: no wrappers, no computed weights."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torch.overrides import TorchFunctionMode

from pruneexp.components.values import shown
from pruneexp.errors import UserError, first_line
from pruneexp.network.computed import computed, current, sources, uncompute
from pruneexp.network.prunable import PROJECTIONS, places, prunable

WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel, AveragedModel)


def plain(model: nn.Module) -> nn.Module:
    """A copy of the network that is made of ordinary modules with parameters of their own; the model is left as it is.

    Gone are torch.compile, DataParallel, DistributedDataParallel and AveragedModel around the model or parts of it. Weights that are
    computed (parametrizations, weight_norm, spectral_norm, torch.nn.utils.prune) are parameters that hold what is computed now, in
    eval mode; attention that holds one matrix for queries, keys and values has three, as torch has it where their sizes differ. Shared
    parameters are shared still, and devices, dtypes, modes, requires_grad and the user's hooks are the model's.

    Raises:
        UserError: no module, or one that cannot be copied, that has no numbers yet (lazy modules, the meta device), or a layer of
            which computes its weight in a way that is not known.

    >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
    >>> sorted(dict(plain(nn.DataParallel(layer)).named_parameters()))
    ['bias', 'weight']
    """
    _check(model)
    with torch.inference_mode(False):
        network = _copied(model)
        made: dict[tuple[object, ...], list[nn.Parameter]] = {}
        for module in reversed(list(network.modules())):  # what a weight is computed from may be computed itself
            for attribute in computed(module):
                uncompute(module, attribute, _parameter(module, attribute, made))
        thirds: dict[int, list[nn.Parameter]] = {}
        for module in network.modules():
            if _holds_one_matrix(module):
                _split(module, thirds)
        _for_scorers(network)
    for name, place in places(network, embeddings=True).items():
        if place.attribute in place.module._buffers:
            setattr(place.module, place.attribute, nn.Parameter(place.weight, requires_grad=False))
        if not isinstance(place.weight, nn.Parameter):
            raise UserError(
                f"{name} is no parameter: pruneexp knows weights that torch.nn.utils.parametrize, weight_norm, spectral_norm or prune"
                " compute, and no others."
            )
    return network


def _check(model: nn.Module) -> None:
    """Raise UserError unless this is a module whose parameters have values."""
    if not isinstance(model, nn.Module):
        raise UserError(f"the model must be a torch.nn.Module, such as nn.Linear(3, 2), got {shown(model)}.")
    for name, parameter in model.named_parameters():
        if parameter.is_meta:
            raise UserError(f"{name} is on the meta device and has no values: build the model on a device first.")


def unwrapped(module: nn.Module) -> nn.Module:
    """The module inside its wrappers."""
    while True:
        if "_orig_mod" in module._modules:  # torch.compile's; importing its class takes seconds
            module = module.get_submodule("_orig_mod")
        elif isinstance(module, WRAPPERS):
            module = module.module
        else:
            return module


def modules_by_name(model: nn.Module) -> dict[str, nn.Module]:
    """The user's modules by the names that they have in the plain network, in its order; each once, under its first name."""
    _check(model)
    found: dict[str, nn.Module] = {}
    seen: set[int] = set()

    def visit(name: str, module: nn.Module) -> None:
        module = unwrapped(module)
        if id(module) not in seen:
            seen.add(id(module))
            found[name] = module
            for key, child in module.named_children():
                if not (key == "parametrizations" and computed(module)):
                    visit(f"{name}.{key}".removeprefix("."), child)

    visit("", model)
    return found


def is_ordinary(model: nn.Module) -> bool:
    """Whether its modules are ordinary ones with parameters of their own, wherever these are."""
    return not any(
        unwrapped(module) is not module or computed(module) or _holds_one_matrix(module) for module in model.modules()
    )


def reference(model: nn.Module) -> nn.Module:
    """The plain network for looking only: the model's own modules where they are plain already, which spares a copy."""
    _check(model)
    model = unwrapped(model)
    return model if is_ordinary(model) else plain(model)


def owners(network: nn.Module) -> dict[str, list[tuple[str, str]]]:
    """By the names of a plain network's prunable weights, embeddings' too, the (module's name, attribute) of every owner."""
    at: dict[int, list[tuple[str, str]]] = {}
    for prefix, module in network.named_modules():
        for attribute, parameter in module._parameters.items():
            at.setdefault(id(parameter), []).append((prefix, attribute))
    return {name: at[id(weight)] for name, weight in prunable(network, embeddings=True).items()}


class _Detached(TorchFunctionMode):
    """Within it copies are made of tensors too that were computed from others, which torch refuses: of their values."""

    def __torch_function__(
        self, func: Callable[..., Any], _: object, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is torch.Tensor.__deepcopy__ and not args[0].is_leaf:
            tensor, memo = args
            return memo.setdefault(id(tensor), tensor.detach().clone())
        return func(*args, **(kwargs or {}))


def _copied(model: nn.Module) -> nn.Module:
    """A copy in which each wrapper is replaced by what it wraps."""
    memo: dict[int, Any] = {}
    try:
        with _Detached():
            for module in reversed(list(model.modules())):  # the innermost wrappers first
                if unwrapped(module) is not module:
                    memo[id(module)] = copy.deepcopy(unwrapped(module), memo)
            return copy.deepcopy(model, memo)
    except Exception as error:  # of whatever the user's modules hold
        raise UserError(f"this model cannot be copied, as copy.deepcopy would ({first_line(error)}).") from error


def _parameter(module: nn.Module, attribute: str, made: dict[tuple[object, ...], list[nn.Parameter]]) -> nn.Parameter:
    """The parameter that holds a computed weight's value: one for all that are computed from the same tensors and equal.

    Args:
        made: by the ids of what they are computed from, the parameters so far; this one is added.
    """
    value, origin = current(module, attribute), sources(module, attribute)
    computed_from = tuple(map(id, origin)) or (module, attribute)  # of buffers alone: shared with nobody
    same = made.setdefault(computed_from, [one for one in origin[:1] if isinstance(one, nn.Parameter)])
    for one in same:
        if one.shape == value.shape and torch.equal(one, value):
            return one
    same.append(nn.Parameter(value.detach().clone(), any(one.requires_grad for one in origin)))
    return same[-1]


def _holds_one_matrix(module: nn.Module) -> bool:
    return isinstance(module, nn.MultiheadAttention) and getattr(module, "in_proj_weight", None) is not None


def _split(attention: nn.Module, thirds: dict[int, list[nn.Parameter]]) -> None:
    """Give an attention three matrices in place of one; those that share the one share the three."""
    whole = attention.get_parameter("in_proj_weight")
    if id(whole) not in thirds:
        thirds[id(whole)] = [nn.Parameter(part.clone(), whole.requires_grad) for part in whole.detach().chunk(3)]
    for name, part in zip(PROJECTIONS, thirds[id(whole)], strict=True):
        setattr(attention, name, part)
    attention.register_parameter("in_proj_weight", None)
    attention._qkv_same_embed_dim = False  # type: ignore[assignment]


def _for_scorers(network: nn.Module) -> None:
    """Switch off what does not go with it: an Embedding's sparse gradients, and TransformerEncoder's packing of padded batches, which
    reads the one matrix of its layers' attention."""
    for module in network.modules():
        if isinstance(module, nn.TransformerEncoder):
            module.use_nested_tensor = False
        if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
            module.sparse = False
