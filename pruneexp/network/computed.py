"""Weights that a module computes from other tensors before it uses them, and masks on top of what computes them.

Known are torch.nn.utils.parametrize (weight_norm, spectral_norm, orthogonal and any other), torch.nn.utils.prune, and the hooks of
torch.nn.utils.weight_norm and spectral_norm that came before parametrizations. `Kept` is a parametrization, and `KeptHook` such a hook,
of our own.
"""

import functools
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, remove_spectral_norm, remove_weight_norm
from torch.nn.utils import prune as torch_prune
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from pruneexp.network.prunable import modes_kept


class Kept(nn.Module):
    """The parametrization that is zero where the mask prunes, whatever stands there: NaN and infinity too."""

    mask: torch.Tensor

    def __init__(self, mask: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight.masked_fill(~self.mask, 0)

    def right_inverse(self, weight: torch.Tensor) -> torch.Tensor:
        """So that the weight can be assigned to."""
        return weight


class KeptHook:
    """A forward pre-hook that does the same after the hook that computes `name`; the mask is the module's buffer ``<name>_kept``."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, module: nn.Module, _: object) -> None:
        setattr(module, self.name, getattr(module, self.name).masked_fill(~module.get_buffer(f"{self.name}_kept"), 0))


HOOKS = (torch_prune.BasePruningMethod, WeightNorm, SpectralNorm, KeptHook)


def _hooks(module: nn.Module) -> dict[str, list[Any]]:
    """The hooks that compute an attribute, by its name, in the order in which they are called."""
    found: dict[str, list[Any]] = {}
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, HOOKS):
            name = hook._tensor_name if isinstance(hook, torch_prune.BasePruningMethod) else hook.name
            found.setdefault(name, []).append(hook)
    return found


def _parametrized(module: nn.Module) -> nn.ModuleDict:
    """The ParametrizationLists by the names of the tensors that they compute."""
    if not parametrize.is_parametrized(module):
        return nn.ModuleDict()
    lists = module.parametrizations
    assert isinstance(lists, nn.ModuleDict)
    return lists


def computed(module: nn.Module) -> list[str]:
    """The attributes of this module that are computed; those of torch.nn.utils.prune first, since others may build on them."""
    hooks = _hooks(module)
    return sorted(hooks, key=lambda name: not is_torch_pruned(module, name)) + list(_parametrized(module))


def is_torch_pruned(module: nn.Module, attribute: str) -> bool:
    """Whether torch.nn.utils.prune computes the attribute."""
    return any(isinstance(hook, torch_prune.BasePruningMethod) for hook in _hooks(module).get(attribute, ()))


def sources(module: nn.Module, attribute: str) -> list[torch.Tensor]:
    """The tensors that a computed attribute is computed from, which an optimiser changes."""
    if attribute in _parametrized(module):
        return list(_parametrized(module)[attribute].parameters(recurse=False))
    ends = ("_orig", "_g", "_v")
    return [module._parameters[attribute + end] for end in ends if module._parameters.get(attribute + end) is not None]  # type: ignore[misc]


@torch.no_grad()
def current(module: nn.Module, attribute: str) -> torch.Tensor:
    """What is computed now, as in eval mode: spectral_norm makes no step of its power iteration."""
    if attribute in _parametrized(module):
        parametrizations = _parametrized(module)[attribute]
        with modes_kept(parametrizations):
            value: torch.Tensor = parametrizations.eval()()
            return value
    for hook in _hooks(module)[attribute]:
        if isinstance(hook, torch_prune.BasePruningMethod):
            value = hook.apply_mask(module)
        elif isinstance(hook, SpectralNorm):
            value = hook.compute_weight(module, do_power_iteration=False)
        elif isinstance(hook, WeightNorm):
            value = hook.compute_weight(module)
        else:
            value = value.masked_fill(~module.get_buffer(f"{attribute}_kept"), 0)
    return value


def recompute(module: nn.Module, attribute: str) -> None:
    """Set what torch.nn.utils.prune computes to what it computes now, for whoever reads it before the layer is called."""
    for hook in _hooks(module)[attribute]:
        hook(module, None)


def settle(module: nn.Module, attribute: str) -> None:
    """Make a computed attribute an ordinary parameter with its value of now: the same that it is computed from where that is one."""
    value, origin = current(module, attribute).clone(), sources(module, attribute)
    weight = origin[0] if len(origin) == 1 else None
    if not isinstance(weight, nn.Parameter):
        weight = nn.Parameter(value, any(one.requires_grad for one in origin))
    weight.data.copy_(value)
    uncompute(module, attribute, weight)


def uncompute(module: nn.Module, attribute: str, weight: nn.Parameter) -> None:
    """Put a parameter in the place of a computed attribute.

    Not by `parametrize.remove_parametrizations`, which takes the attribute off a class that copies of the module share.
    """
    lists = _parametrized(module)
    if attribute in lists:
        del lists[attribute]
        cls = type(module)
        own = {key: value for key, value in vars(cls).items() if key not in (attribute, "__dict__", "__weakref__")}
        module.__class__ = type(cls.__name__, cls.__bases__, own) if lists else cls.__bases__[0]
        if not lists:
            del module.parametrizations
        for key, before_loading in list(
            module._load_state_dict_pre_hooks.items()
        ):  # weight_norm's, which no pickle holds
            if getattr(getattr(before_loading, "hook", None), "__module__", "") == parametrizations.__name__:
                del module._load_state_dict_pre_hooks[key]
    for hook in _hooks(module).get(attribute, ()):
        if isinstance(hook, torch_prune.BasePruningMethod):
            module._parameters[f"{attribute}_orig"] = weight  # what other owners of the original compute stays as it is
            torch_prune.remove(module, attribute)
        elif isinstance(hook, KeptHook):
            delattr(module, f"{attribute}_kept")
            drop = next(key for key, one in module._forward_pre_hooks.items() if one is hook)
            del module._forward_pre_hooks[drop]
        else:
            (remove_weight_norm if isinstance(hook, WeightNorm) else remove_spectral_norm)(module, attribute)
    setattr(module, attribute, weight)


def keep(module: nn.Module, attribute: str, mask: torch.Tensor) -> None:
    """A mask on top of the attribute from now on, however it is computed; a mask that is on already prunes too.

    Args:
        mask: bool, shaped as the attribute, on its device; the caller's own, to be changed by nobody else.
    """
    lists, hooks = _parametrized(module), _hooks(module)
    if attribute in lists:
        chain = lists[attribute]
        assert isinstance(chain, nn.ModuleList)
        if isinstance(chain[-1], Kept):
            chain[-1].mask.mul_(mask)
        else:
            chain.append(Kept(mask))
    elif attribute in hooks:
        if (on := module._buffers.get(f"{attribute}_kept")) is not None:
            on.mul_(mask)
        else:
            module.register_buffer(f"{attribute}_kept", mask)
            module.register_forward_pre_hook(KeptHook(attribute))
    else:
        weight = module.get_parameter(attribute)
        module.register_parameter(attribute, nn.Parameter(weight.detach(), weight.requires_grad))
        parametrize.register_parametrization(module, attribute, Kept(mask))
        # not on the weight itself: that would end what DistributedDataParallel waits for at it
        _parametrized(module)[attribute].register_parameter("original", weight)
    if attribute in hooks:  # until the next forward pass, which computes it anew
        with torch.no_grad():
            setattr(module, attribute, getattr(module, attribute).masked_fill(~mask, 0))


def mask_on(module: nn.Module, attribute: str) -> torch.Tensor | None:
    """The mask that is on a computed attribute, torch.nn.utils.prune's and ours; None where none is."""
    if attribute in (lists := _parametrized(module)):
        masks = [one.mask for one in lists[attribute].children() if isinstance(one, Kept)]
    else:
        ends = ("_mask", "_kept") if attribute in _hooks(module) else ()
        masks = [mask for end in ends if (mask := module._buffers.get(attribute + end)) is not None]
    return functools.reduce(torch.logical_and, masks) if masks else None
