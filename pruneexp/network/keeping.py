"""Masks that stay on: parametrizations that any training loop and optimiser leaves in their place."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from pruneexp.errors import UserError
from pruneexp.network.computed import computed, is_torch_pruned, keep, mask_on, settle
from pruneexp.network.masks import Masks, named, spots, trainable
from pruneexp.network.plain import modules_by_name
from pruneexp.network.torch_prune import put


@dataclass(frozen=True)
class KeptMasks:
    """What `keep_masks` returns.

    Attributes:
        places: (module, attribute) of each tensor that it put a mask on.
    """

    places: tuple[tuple[nn.Module, str], ...]

    def remove(self) -> None:
        """Take all masks off these weights again: they are ordinary parameters, zero where they were pruned.

        Where a weight was one parameter, the optimiser's is it still. One that weight_norm or the like computes becomes an ordinary
        parameter too, with the values of now: nothing else would hold its zeros.
        """
        for module, attribute in self.places:
            if attribute in computed(module):
                settle(module, attribute)


def keep_masks(model: nn.Module, masks: Mapping[str, torch.Tensor]) -> KeptMasks:
    """Keep pruned weights at exactly zero from now on, whatever training loop, optimiser or wrapper the model goes through.

    Each weight becomes a parametrization (`torch.nn.utils.parametrize`) that is zero where the mask prunes and has no gradient there,
    as the last of those that are there. Where hooks compute it (`torch.nn.utils.weight_norm`, `spectral_norm`) one more hook
    follows theirs, and on `torch.nn.utils.prune`'s masks this is one more. Masks called for twice both prune. An optimiser that
    was made before goes on with the same parameters; an optimiser may move their pruned entries, which nothing reads.

    ``state_dict`` holds ``<layer>.parametrizations.weight.original`` and ``...weight.0.mask`` in place of ``<layer>.weight``: load
    a plain checkpoint before masks are kept, or after ``remove()``. ``copy.deepcopy`` copies masks too; a copy that is plain again
    is ``plain(model)``, which is also what to pickle or to save whole.

    Args:
        model: any network, wrapped or compiled too; its weights' names are the plain network's.
        masks: bool, or numbers that are all 0 or 1, by weight name.

    Returns:
        A handle, whose ``remove()`` leaves the zeros in ordinary weights.

    Raises:
        UserError: a mask does not fit, or an embedding has sparse gradients, which parametrizations do not pass on; nothing is changed
            then.

    >>> layer = nn.Linear(2, 1)
    >>> handle = keep_masks(layer, {"weight": torch.tensor([[True, False]])})
    >>> layer.weight.count_nonzero()
    tensor(1)
    """
    found = trainable(spots(model, masks))
    for spot in found:
        if getattr(spot.module, "sparse", False):
            raise UserError(
                "an embedding with sparse=True passes sparse gradients, which keep_masks cannot mask: use sparse=False."
            )
    pruned = [spot for spot in found if is_torch_pruned(spot.module, spot.attribute)]
    for spot in found:
        if not is_torch_pruned(spot.module, spot.attribute):
            keep(spot.module, spot.attribute, spot.mask)
    put(model, pruned)
    return KeptMasks(tuple((spot.module, spot.attribute) for spot in found))


def masks_on(model: nn.Module) -> Masks:
    """The masks that are on the model's prunable weights, embeddings' too: `torch.nn.utils.prune`'s and those of `keep_masks`.

    On the CPU, by the plain network's names, where there are any; zeros alone, as `apply_masks` leaves them, are no mask.
    """
    found = {
        (name, attribute): mask
        for name, module in modules_by_name(model).items()
        for attribute in computed(module)
        if (mask := mask_on(module, attribute)) is not None
    }
    return named(model, found) if found else {}
