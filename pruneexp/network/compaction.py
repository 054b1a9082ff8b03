"""A pruned network's weights without their zeros: of each masked weight only the values that its mask keeps.

A pruned cell's ``weights.safetensors`` is a `compact` state dict. Of a weight that has a mask it holds the kept values, 1-D, in the
order of ``weight[mask]``: row-major, whatever the weight's layout in memory. All else - biases, BatchNorm's statistics and
counters - it holds whole. The masks say where the values belong, and the weights' shapes; `restore` puts them back there.
"""

from collections.abc import Mapping

import torch

from pruneexp.errors import UserError
from pruneexp.network.masks import Masks, check

State = dict[str, torch.Tensor]


def compact(state: Mapping[str, torch.Tensor], masks: Masks) -> State:
    """A state dict without the values that the masks prune.

    Args:
        state: of any device, dtypes and layouts; not copied where that can be avoided.
        masks: by names of the state; without any, as of a dense network, nothing is left out.

    Returns:
        On the CPU, names and dtypes as before: [kept] of a weight that has a mask, all else in its shape.

    Raises:
        UserError: a mask has another shape than what it belongs to, or belongs to nothing.

    >>> masks = {"weight": torch.tensor([[True, False], [False, True]])}
    >>> left = compact({"weight": torch.tensor([[1.0, 0.0], [0.0, 2.0]]), "bias": torch.tensor([3.0, 4.0])}, masks)
    >>> left
    {'weight': tensor([1., 2.]), 'bias': tensor([3., 4.])}
    >>> restore(left, masks)["weight"]
    tensor([[1., 0.],
            [0., 2.]])
    """
    check(state, masks)
    plain = {name: value.detach().cpu() for name, value in state.items()}
    return plain | {name: plain[name][mask.cpu()] for name, mask in masks.items()}


def restore(compacted: Mapping[str, torch.Tensor], masks: Masks) -> State:
    """The state dict that `compact` was given, exactly zero where its masks prune.

    Args:
        compacted: as `compact` makes it.
        masks: the same, on the CPU.

    Raises:
        UserError: a mask keeps another number of values than there are of it.
    """
    whole = dict(compacted)
    for name, mask in masks.items():
        values, kept = whole.get(name, torch.empty(0)), int(mask.sum())
        if values.shape != (kept,):
            raise UserError(
                f"the mask of {name} keeps {kept} weights, and their values have shape {list(values.shape)}."
            )
        whole[name] = values.new_zeros(mask.shape).masked_scatter(mask, values)
    return whole
