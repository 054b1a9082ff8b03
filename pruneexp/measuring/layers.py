"""What a record says of a network's masks: one row for each layer, and sums over the network."""

import math
from typing import Any

import numpy as np
import torch
from torch import nn

from pruneexp.graphs.bipartite import biadjacency, components, sparse
from pruneexp.graphs.paths import effective
from pruneexp.graphs.spectrum import both_imdbs, bound_gap, lambda2
from pruneexp.network.masks import Masks
from pruneexp.network.prunable import outputs_first, prunable, prunable_layers
from pruneexp.network.wiring import Wiring


def layer_rows(model: nn.Module, masks: Masks) -> list[dict[str, Any]]:
    """Density, lambda_2 (of the mask and of |w| under it), bound gap, IMDB in both units, components, dead filters (outputs without a
    weight), idle inputs (left vertices without one) of each layer, and whether it has collapsed: its largest component
    is a star, a single edge or nothing, whose lambda_2 (1, 2 or none) says nothing of connectivity.

    The weights are those the model has now: before training, the ones training starts from. NaN becomes None.
    """
    rows, layers = [], prunable_layers(model)
    for name, weight in prunable(model).items():
        kept = masks.get(name, torch.ones_like(weight, dtype=torch.bool)).cpu()
        mask, values = (outputs_first(layers[name], one) for one in (kept, weight.detach().cpu()))
        matrix = sparse(biadjacency(mask))
        weighted = sparse(biadjacency(mask * values.abs().double()))
        number, left, right = components(matrix)
        plain, norm = both_imdbs(matrix)
        row: dict[str, Any] = {
            "name": name,
            "shape": list(weight.shape),
            "kept": int(mask.sum()),
            "density": float(mask.double().mean()),
            "lambda2": lambda2(matrix),
            "lambda2_weighted": lambda2(weighted),
            "bound_gap": bound_gap(matrix),
            "imdb": plain,
            "imdb_norm": norm,
            "components": number,
            "collapsed": collapsed(number, left, right),
            "dead_filters": int((right < 0).sum()),
            "idle_inputs": int((left < 0).sum()),
        }
        rows.append({field: _none_if_nan(value) for field, value in row.items()})
    return rows


def network_sums(rows: list[dict[str, Any]], macs: dict[str, int] | None) -> dict[str, Any]:
    """Kept weights, density, dead filters, IMDB, smallest lambda_2 of the layers that have not collapsed, and MACs.

    ``imdb`` is the mean over the pruned layers that have one, as "Deterministic Ramanujan graphs" prints it; its text writes
    the sum, which is ``imdb_sum``. A dense network has neither. ``imdb_norm`` is the mean over all layers that have one, as Hoang
    et al. (2023) print it: a layer that stays dense counts, with 1. ``imdb_layers`` says how many these are. MACs are None
    where they could not be counted.
    """
    kept = sum(row["kept"] for row in rows)
    prunable_weights = sum(math.prod(row["shape"]) for row in rows)
    imdbs = [row["imdb"] for row in rows if row["imdb"] is not None and row["density"] < 1]
    norms = [row["imdb_norm"] for row in rows if row["imdb_norm"] is not None]
    lambdas = [row["lambda2"] for row in rows if row["lambda2"] is not None and not row["collapsed"]]
    return {
        "kept": kept,
        "prunable": prunable_weights,
        "density": kept / prunable_weights,
        "dead_filters": sum(row["dead_filters"] for row in rows),
        "imdb": sum(imdbs) / len(imdbs) if imdbs else None,
        "imdb_sum": sum(imdbs) if imdbs else None,
        "imdb_norm": sum(norms) / len(norms) if norms else None,
        "imdb_layers": len(norms),
        "lambda2_min": min(lambdas, default=None),
        "collapsed_layers": sum(row["collapsed"] for row in rows),
        "macs": None if macs is None else round(sum(macs[row["name"]] * row["density"] for row in rows)),
    }


def parameters_left(model: nn.Module, masks: Masks) -> int:
    """All parameters, biases and BatchNorm's too, less the pruned weights."""
    pruned = sum(int((~mask).sum()) for mask in masks.values())
    return sum(parameter.numel() for parameter in model.parameters()) - pruned


def collapsed(number: int, left: np.ndarray, right: np.ndarray) -> bool:
    """Whether the largest component, by vertices, has a side of one vertex; a layer with such a side itself has not collapsed."""
    if number == 0:
        return True
    sides = np.stack([np.bincount(side[side >= 0], minlength=number) for side in (left, right)])
    return bool(sides[:, sides.sum(axis=0).argmax()].min() == 1 < min(len(left), len(right)))


def effective_density(masks: Masks, wiring: Wiring | None) -> float | None:
    """Share of all weights that are kept and lie on an input-output path; None where the layers' joining is not known."""
    if wiring is None:
        return None
    if not masks:
        return 1.0
    working = effective(masks, wiring)
    return sum(int(mask.sum()) for mask in working.values()) / sum(mask.numel() for mask in masks.values())


def _none_if_nan(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
