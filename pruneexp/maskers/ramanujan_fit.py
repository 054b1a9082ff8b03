"""Ramanujan masks for layers of any size, without dead filters, each with its certificate."""

import math
from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
import torch

from pruneexp.allocations.by_shape import Allocation, allocate
from pruneexp.components.options import component
from pruneexp.errors import UserError
from pruneexp.graphs.ramanujan.biregular import search
from pruneexp.layers import Layer, Notes, kept_count
from pruneexp.maskers.structural import masks_of_graphs, seeded, sides

SMALL = 8  # degree of a layer's larger side below which a mixture of two degrees can rule a certificate out


@component("masker", needs_scores=False)
def ramanujan_fit(
    layers: Sequence[Layer],
    density: float,
    generator: torch.Generator,
    notes: Notes,
    allocation: Allocation = "erk",
    counts: np.ndarray | None = None,
) -> dict[str, torch.Tensor]:
    """Keep exactly round(density * N) weights as certified Ramanujan graphs, degrees on each side differing by at most one.

    A connected graph with degrees of at least 2 leaves no filter and no input dead. That takes 2 max(C_out, C_in K_h K_w) weights of
    a layer; what they cost one layer beyond its allocation the others pay. Where the larger side's degree would be below 8, it is a
    whole number: a mixture of degrees d and d + 1 has a universal cover of larger spectral radius than the bound with
    their mean, so that large graphs with it cannot be certified.

    Args:
        layers: whose scores do not matter.
        density: kept / prunable weights.
        generator: the random stream of the graphs.
        notes: receives ``certified_layers``, ``uncertified_layers``, ``dense_layers`` (too small for anything else), and
            ``ratio/<layer>``, sigma_2 over the bound, for those without a certificate.
        allocation: each layer's share (see `allocate`).
        counts: of an allocation, int64 [layers], which no other layer then pays for: a small degree may be a mixture, and its layer is
            without a certificate.

    Returns:
        bool mask by weight name.

    Raises:
        UserError: density or allocation not allowed or too small for degree 2, also of one layer whose number an allocation gives, or a
            round after the first.
    """
    count = kept_count(layers, density)
    larger = np.array([max(sides(layer)) for layer in layers])
    size = np.array([layer.size for layer in layers])
    least = np.minimum(2 * larger, size)
    if counts is not None:
        _refuse(layers, least, counts)
    elif least.sum() > count:
        raise UserError(
            f"density {density} keeps {count} weights, and ramanujan_fit needs {least.sum()} for two at every filter and every input"
            f" of each layer: use at least {math.ceil(1e4 * least.sum() / size.sum()) / 1e4:g}."
        )
    else:
        counts = _whole_degrees(allocate(layers, count, allocation, least), larger, size)
    rng = seeded(generator)
    notes |= {"certified_layers": 0, "uncertified_layers": 0, "dense_layers": 0}

    def graph(k: int, layer: Layer) -> sp.sparray | None:
        if counts[k] == size[k]:
            notes["dense_layers"] += 1
            return None
        found = search(*sides(layer), int(counts[k]), int(rng.integers(2**62)))
        notes["certified_layers" if found.is_ramanujan else "uncertified_layers"] += 1
        if not found.is_ramanujan:
            notes[f"ratio/{layer.name}"] = found.ratio
        return found.biadjacency

    return masks_of_graphs(layers, "ramanujan_fit", graph)


def _refuse(layers: Sequence[Layer], least: np.ndarray, counts: np.ndarray) -> None:
    """Raise UserError for the layer that is furthest from the number that it needs."""
    share = counts / least
    worst = int(share.argmin())
    if share[worst] < 1:
        raise UserError(
            f"ramanujan_fit cannot keep {counts[worst]} of {layers[worst].name}'s weights: two at every filter and every input are"
            f" {least[worst]}; take a higher density, another allocation, or masker=random_regular."
        )


def _whole_degrees(counts: np.ndarray, larger: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Counts with the same sum in which small degrees are whole numbers, as far as the other layers can make up for it."""
    small = (counts < SMALL * larger) & (counts < size)
    result = np.where(small, counts // larger * larger, counts)
    spare = int(counts.sum() - result.sum())
    for k in np.argsort(result - counts, kind="stable"):  # those that lost most get a degree back while it lasts
        if small[k] and larger[k] <= spare and result[k] + larger[k] <= size[k]:
            result[k] += larger[k]
            spare -= int(larger[k])
    room = size - result
    # what is left goes where the degree is largest, and matters least
    for k in np.lexsort((-result / larger, small)):
        more = min(spare, int(room[k]))
        result[k] += more
        spare -= more
    return np.asarray(result)
