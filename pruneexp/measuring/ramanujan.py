"""How near each layer's graph is to a Ramanujan graph."""

import math
from typing import Any

import numpy as np
from torch import nn

from pruneexp.components.options import component
from pruneexp.network.masks import Masks


@component("measurement", name="ramanujan", provides="topology.imsg")
def ramanujan(network: nn.Module, masks: Masks) -> dict[str, Any]:
    """The record's fields `topology` and `topology_layers`: each layer's density, difference of bound, both IMDB and IMSG
    (`pruneexp.topology.ramanujan_metrics`), and their means over the layers that have one; NaN becomes None.

    Args:
        network: with the weights that training starts from.
        masks: by weight name; none for a dense network.
    """
    from pruneexp.topology import ramanujan_metrics  # compiles its inner loops on first use

    layers = ramanujan_metrics(network, masks)
    names = next(iter(layers.values()))
    columns = {name: np.array([layer[name] for layer in layers.values()]) for name in names}
    means = {name: float(np.nanmean(v)) if np.isfinite(v).any() else math.nan for name, v in columns.items()}
    return {
        "topology": without_nan(means),
        "topology_layers": {name: without_nan(layer) for name, layer in layers.items()},
    }


def without_nan(values: dict[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in values.items()}
