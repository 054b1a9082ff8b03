"""The topology of the graph that the kept weights form."""

from typing import Any

from torch import nn

from pruneexp.components.options import component
from pruneexp.measuring.ramanujan import ramanujan, without_nan
from pruneexp.network.masks import Masks


@component("measurement", name="topology", provides="topology.spectral_gap")
def topology(network: nn.Module, masks: Masks, input_shape: tuple[int, ...]) -> dict[str, Any]:
    """The record's fields `topology` and `topology_layers`: what `ramanujan` gives, and the sixteen metrics of the multipartite graph
    (`pruneexp.topology.measure`); NaN becomes None.

    Args:
        network: with the weights that training starts from.
        masks: by weight name; none for a dense network.
        input_shape: [C, H, W].

    Raises:
        UserError: the network has no multipartite graph (`pruneexp.topology.encode`).
    """
    from pruneexp.topology import measure  # compiles its inner loops on first use

    fields = ramanujan(network, masks)
    device = next(network.parameters()).device.type
    return fields | {"topology": fields["topology"] | without_nan(measure(network, masks, input_shape, device=device))}
