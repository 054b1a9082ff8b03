"""The exchange of masks with torch.nn.utils.prune."""

from collections.abc import Iterable, Mapping

import torch
from torch import nn
from torch.nn.utils import prune as torch_prune

from pruneexp.errors import UserError
from pruneexp.network.computed import computed, is_torch_pruned, mask_on, recompute
from pruneexp.network.masks import Masks, Spot, clear, named, spots, trainable
from pruneexp.network.plain import modules_by_name, unwrapped


class Refresh:
    """A forward pre-hook: all weights below the module that torch.nn.utils.prune computes are computed anew.

    torch does that only when the layer itself is called. MultiheadAttention reads its out_proj's weight without calling it, and
    TransformerEncoderLayer in eval mode those of all its layers.
    """

    def __call__(self, module: nn.Module, _: object) -> None:
        for child in module.modules():
            for attribute in computed(child):
                if is_torch_pruned(child, attribute):
                    recompute(child, attribute)


def to_torch_prune(model: nn.Module, masks: Mapping[str, torch.Tensor]) -> None:
    """Put the masks on through `torch.nn.utils.prune`, whose reparametrisation keeps them on in any training loop.

    A weight that several modules share is masked in each. Attention that holds one matrix for queries, keys and values gets one mask
    for it. Modules above a masked layer get a hook that computes its weight before they run, for those that read it without
    calling the layer. Masks that are on already stay on beneath the new ones. As with torch's own functions, ``state_dict`` holds
    ``weight_orig`` and ``weight_mask``, and `torch.nn.utils.prune.remove` makes the zeros permanent.

    Args:
        model: any network, wrapped too; its weights' names are the plain network's.
        masks: bool, or numbers that are all 0 or 1, by weight name.

    Raises:
        UserError: a mask does not fit, or a weight is computed already in another way; nothing is changed then.
    """
    found = trainable(spots(model, masks))
    for spot in found:
        if spot.attribute in computed(spot.module) and not is_torch_pruned(spot.module, spot.attribute):
            names = {id(module): name for name, module in modules_by_name(model).items()}
            name = f"{names[id(spot.module)]}.{spot.attribute}".removeprefix(".")
            raise UserError(
                f"{name} is computed by a parametrization or a hook, on which torch.nn.utils.prune cannot build: use keep_masks."
            )
    put(model, found)


def put(model: nn.Module, found: Iterable[Spot]) -> None:
    """Masks on tensors of the model through `torch.nn.utils.prune`, and `Refresh` on the modules above them."""
    masked = set()
    for spot in found:
        torch_prune.custom_from_mask(spot.module, spot.attribute, spot.mask)
        original = getattr(spot.module, f"{spot.attribute}_orig")
        clear(original, ~spot.mask & ~original.isfinite())  # 0 times NaN is NaN
        with torch.no_grad():  # without a history copies can be made of it, until the model has run
            recompute(spot.module, spot.attribute)
        masked.add(spot.module)
    for module in unwrapped(model).modules():
        above = any(child in masked for child in module.modules() if child is not module)
        if above and not isinstance(module, nn.Sequential) and not _refreshed(module):  # Sequential calls its layers
            module.register_forward_pre_hook(Refresh())


def _refreshed(module: nn.Module) -> bool:
    return any(isinstance(hook, Refresh) for hook in module._forward_pre_hooks.values())


def from_torch_prune(model: nn.Module) -> Masks:
    """The masks that `torch.nn.utils.prune` has put on the model's prunable weights, embeddings' too, on the CPU; empty without any.

    They are by the plain network's names, as `apply_masks` takes them; masks of biases and of other modules are left out.
    """
    found = {
        (name, attribute): mask
        for name, module in modules_by_name(model).items()
        for attribute in computed(module)
        if is_torch_pruned(module, attribute) and (mask := mask_on(module, attribute)) is not None
    }
    return named(model, found) if found else {}
