"""What every record says of a network and its masks, whatever else is measured."""

from typing import Any

from torch import nn

from pruneexp.measuring.layers import effective_density, layer_rows, network_sums, parameters_left
from pruneexp.network.masks import Masks
from pruneexp.network.prunable import outputs_first, prunable, turned
from pruneexp.network.wiring import Wiring


def always(
    network: nn.Module,
    masks: Masks,
    trainee: nn.Module,
    wiring: Wiring | None,
    macs: dict[str, int] | None,
) -> dict[str, Any]:
    """The fields of a record that say what is kept: sums over the network, and a row for each layer of what is trained.

    Args:
        network: before its masks.
        masks: by weight name; none for a dense network.
        trainee: the network itself, or a smaller one where what the masks prune was removed.
        wiring: how its layers join, where that is known.
        macs: multiply-accumulates of what is trained, where they can be counted.
    """
    left = masks if trainee is network else {}
    total = sum(weight.numel() for weight in prunable(network).values())
    rows = layer_rows(trainee, left)
    sums = network_sums(rows, macs)
    return {
        **sums,
        "prunable": total,  # of what there was before any neuron was removed
        "density": sums["kept"] / total,
        "parameters": parameters_left(trainee, left),
        "effective_density": effective_density(turned(outputs_first, network, masks), wiring),
        "layers": rows,
    }
