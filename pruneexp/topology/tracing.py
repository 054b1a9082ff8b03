"""From a network to its multipartite graph."""

import numpy as np
import torch
from torch import nn

from pruneexp.errors import UserError
from pruneexp.network.masks import Masks, check
from pruneexp.network.plain import plain
from pruneexp.network.prunable import prunable
from pruneexp.network.trace import traced
from pruneexp.topology.encoding import Graph
from pruneexp.topology.multipartite import Multipartite


def encode(model: nn.Module, input_shape: tuple[int, ...], masks: Masks | None = None, skips: bool = True) -> Graph:
    """The unrolled multipartite graph (Cunegatti et al., section 3 and appendix C).

    A convolution's or linear layer's outputs are a partition of nodes, one for each channel and position; the next layer's inputs are
    the same nodes. Pooling adds none: an edge that leaves a pooled cell leaves every node of its window. A shortcut
    convolution leads to the partition that it is added to, an identity skip has unit weights. BatchNorm and biases are left out.
    What the paper leaves to later work is a partition of its own, with edges of unit weight: a sum that is neither of the two,
    for a term of it is used elsewhere too or lies at other positions; a product of channels (a gate); attention, where an output at a
    position comes from its head's query there, its head's keys at all positions and its channel's values at all positions, whatever
    masks it has; and a vector that is looked up. Statistics over channels only scale, and add nothing. A layer that is not used has
    no edges.

    Args:
        model: any network that torch.export can follow.
        input_shape: [C, H, W], or [units].
        masks: by weight name; without them the network's own zeros are its mask.
        skips: add identity skips.

    Raises:
        UserError: the network cannot be traced or run on that shape, does something without a meaning in a graph, or a
            mask's name or shape is not the network's.
    """
    network = plain(model)
    weights = _masked(network, masks)
    if not isinstance(input_shape, (tuple, list)) or not all(
        isinstance(side, int) and side > 0 for side in input_shape
    ):
        raise UserError(f"input_shape must be channels, height and width, such as (3, 32, 32), got {input_shape!r}.")
    walk = Multipartite(traced(network, tuple(input_shape)), weights, skips)
    walk.follow()
    if not walk.outputs:
        raise UserError(f"{walk.what} is of networks whose output holds channels, and this one's holds none.")
    return walk.nodes.graph(walk.outputs)


def _masked(network: nn.Module, masks: Masks | None) -> dict[str, np.ndarray]:
    weights = prunable(network)
    check(weights, masks or {})
    result = {}
    for name, weight in weights.items():
        if not bool(torch.isfinite(weight).all()):
            raise UserError(f"the weights of {name} are not finite.")
        value = weight.detach().abs().cpu().double()
        result[name] = (value * masks[name].cpu() if masks and name in masks else value).numpy()
    return result
