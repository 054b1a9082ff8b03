"""N:M masks: of every m consecutive weights the n highest (Mishra et al. 2021; Zhou et al. 2021)."""

from collections.abc import Sequence

import torch

from pruneexp.components.options import component
from pruneexp.components.values import Count
from pruneexp.errors import UserError
from pruneexp.layers import Layer, Notes, granted, kept_count


def _goes_together(n: int, m: int, **_: object) -> None:
    """Raise UserError unless a group loses something."""
    if n >= m:
        raise UserError(f"n_m keeps n of each m weights, so n must be below m, got n={n} and m={m}.")


@component("masker", own_density=True, together=_goes_together)
def n_m(
    layers: Sequence[Layer], density: float, generator: torch.Generator, notes: Notes, n: Count = 2, m: Count = 4
) -> dict[str, torch.Tensor]:
    """Masks that keep the n highest scores of each group of m weights, ties broken by index; 2:4 is what sparse tensor cores multiply.

    A group is m consecutive input channels of one filter at one place of its kernel: m entries in a row of the weight unfolded with
    the input channels fastest, [C_out, K_h K_w C_in]. Along that dimension a matrix product sums, and the hardware picks the n
    partners of the weights that are left among m activations that lie side by side, which in the channels-last layout of its
    convolutions are channels (Mishra et al., "Accelerating sparse deep neural networks"). NVIDIA's ASP groups them so
    (apex/contrib/sparsity/sparse_masklib.py, `create_mask`).

    A layer whose input channels are no multiple of m stays dense, such as the first of a network for colour images. So ASP leaves it
    (asp.py), which asks for more, 16 input and 8 output channels and multiples of them, as half precision's kernels for 2:4 do.

    Args:
        layers: the network's prunable weights with their scores.
        density: asked for, within a tenth of what the construction keeps, n/m and the dense layers; the record's density is the
            construction's.
        generator: not used.
        notes: receives ``dense_layers``.
        n: kept of each group, below m.
        m: weights in a group.

    Returns:
        bool mask by weight name.

    Raises:
        UserError: n is not below m, no layer has groups, the density is another, or earlier rounds left a group fewer than n.
    """
    _goes_together(n, m)
    count = kept_count(layers, density)
    dense = [layer.score.shape[1] % m != 0 for layer in layers]
    if all(dense):
        raise UserError(
            f"n_m finds no layer of this network for groups of m={m}: one whose number of input channels is a multiple of it;"
            " use another m."
        )
    notes["dense_layers"] = sum(dense)
    masks = {
        layer.name: layer.available.cpu().clone() if whole else _highest_of_groups(layer, n, m)
        for layer, whole in zip(layers, dense, strict=True)
    }
    return granted(masks, count, density, "n_m", "groups", ", rounds=1 and levels=1")


def _highest_of_groups(layer: Layer, n: int, m: int) -> torch.Tensor:
    """Bool mask of one layer.

    Raises:
        UserError: a group has fewer than n weights left.
    """
    left = layer.available.cpu()
    rows = torch.where(left, layer.score.cpu().double(), -torch.inf).movedim(1, -1)  # [C_out, K_h, K_w, C_in]
    groups = rows.reshape(-1, m)
    if bool((groups.isfinite().sum(dim=1) < n).any()):
        raise UserError(
            f"n_m keeps {n} of each {m} weights, and earlier rounds or masks left fewer of a group of {layer.name}: it goes with rounds=1,"
            " levels=1 and masks that leave as many."
        )
    highest = groups.argsort(dim=1, descending=True, stable=True)[:, :n]
    mask = torch.zeros_like(groups, dtype=torch.bool).scatter_(1, highest, True)
    return mask.reshape(rows.shape).movedim(-1, 1).contiguous()
