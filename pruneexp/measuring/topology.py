"""What a record says of the graph that the kept weights form."""

import math
from typing import Any

import numpy as np
from torch import nn

from pruneexp.network.masks import Masks


def topology_fields(model: nn.Module, masks: Masks, input_shape: tuple[int, ...], kind: str) -> dict[str, Any]:
    """The record's fields `topology` and `topology_layers`; NaN becomes None.

    Args:
        model: with the weights that training starts from.
        masks: by weight name; none for a dense network.
        input_shape: [C, H, W].
        kind: ``ramanujan`` (each layer's density, difference of bound, IMDB and IMSG, and their means over the layers that have one)
            or ``full`` (the sixteen metrics of the multipartite graph, too).

    Raises:
        UserError: the network has no multipartite graph (`pruneexp.topology.encode`).
    """
    # compiles its inner loops on first use
    from pruneexp.topology import measure, ramanujan_metrics

    layers = ramanujan_metrics(model, masks)
    names = next(iter(layers.values()))
    columns = {name: np.array([layer[name] for layer in layers.values()]) for name in names}
    metrics = {name: float(np.nanmean(v)) if np.isfinite(v).any() else math.nan for name, v in columns.items()}
    if kind == "full":
        device = next(model.parameters()).device.type
        metrics |= measure(model, masks, input_shape, device=device)
    return {
        "topology": _without_nan(metrics),
        "topology_layers": {name: _without_nan(layer) for name, layer in layers.items()},
    }


def _without_nan(values: dict[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in values.items()}
