"""The masks of "Deterministic Ramanujan graphs": LPS graphs for square layers, array codes in the corner of the others."""

import math
from collections.abc import Sequence
from typing import Annotated

import scipy.sparse as sp
import torch
from pydantic import AfterValidator, Field
from sympy import isprime, prevprime

from pruneexp.components.options import component
from pruneexp.components.values import Count, Words
from pruneexp.errors import UserError
from pruneexp.graphs.ramanujan.array_code import array_code_matrix
from pruneexp.graphs.ramanujan.lps import lps
from pruneexp.layers import Layer, Notes, granted, kept_count
from pruneexp.maskers.structural import masks_of_graphs, sides


def _prime(number: int) -> int:
    if not isprime(number):
        raise ValueError
    return number


Prime = Annotated[int, Field(ge=2, le=10_000), AfterValidator(_prime), Words("a prime, at most 10000")]


@component("masker", needs_scores=False, own_density=True)
def ramanujan(
    layers: Sequence[Layer],
    density: float,
    generator: torch.Generator,
    notes: Notes,
    p: Prime = 29,
    convolutions: bool = True,
    least_channels: Count = 64,
) -> dict[str, torch.Tensor]:
    """The paper's masks, which are the same for every network, seed and score; all other layers stay dense.

    A square Linear layer of q (q^2 - 1) / 2 neurons, q prime, is the LPS graph X^{p,q} (Table 1: 2448, q = 17). A convolution
    C_out x C_in K K of at least `least_channels` input channels and K > 1, and a Linear layer that reads a flattened
    convolution of them, has the array code B(q, l) in its upper left corner, q the largest prime with q^2 <= C_out and
    l = floor(C_in K K / q) (which gives every row of Table 2); the rest of it is zero, so that the filters beyond q^2 have no input.

    Args:
        layers: whose scores do not matter.
        density: asked for, within a tenth of what the construction keeps; the record's density is the construction's.
        generator: not used.
        notes: receives ``lps_layers``, ``array_code_layers`` and ``dense_layers``.
        p: of the LPS graphs, a prime that is no square mod q: 5, 29 or 109 in Table 1.
        convolutions: prune convolutions and the layer after them too (Table 5), not only square Linear layers (Table 4).
        least_channels: input channels of a convolution that is pruned: 256 in the paper's VGGs and AlexNet, 64 in its ResNets.

    Returns:
        bool mask by weight name.

    Raises:
        UserError: p gives no graph, the network has no layer for the construction, the density is another, or a round after the first.
    """
    count = kept_count(layers, density)
    notes |= {"lps_layers": 0, "array_code_layers": 0, "dense_layers": 0}

    def square(layer: Layer) -> int:
        rows, columns = sides(layer)
        return _lps_prime(rows) if layer.score.ndim == 2 and rows == columns else 0

    def graph(k: int, layer: Layer) -> sp.sparray | None:
        rows, columns = sides(layer)
        q = square(layer)
        if q:
            notes["lps_layers"] += 1
            return lps(p, q).biadjacency
        into = layer.score.shape[1]
        kernel = columns // into
        # the layer before a square one reads the flattened convolutions; an output layer has none after it
        flattened = layer.score.ndim == 2 and columns > rows and any(map(square, layers[k + 1 : k + 2]))
        if convolutions and rows >= 4 and (flattened or (kernel > 1 and into >= least_channels)):
            notes["array_code_layers"] += 1
            q = prevprime(math.isqrt(rows) + 1)
            code = array_code_matrix(q, columns // q).tocoo()
            return sp.csr_array((code.data, code.coords), shape=(rows, columns))
        notes["dense_layers"] += 1
        return None

    masks = masks_of_graphs(layers, "ramanujan", graph)
    if notes["dense_layers"] == len(layers):
        raise UserError(
            "ramanujan finds no layer of this network for its graphs: a square Linear layer of q (q^2 - 1) / 2 neurons, such as"
            f" 2448, or convolutions of {least_channels} input channels or more."
        )
    return granted(masks, count, density, "ramanujan", "graphs")


def _lps_prime(side: int) -> int:
    """The prime q with q (q^2 - 1) / 2 = side, or 0."""
    q = int(prevprime(max(round((2 * side) ** (1 / 3)) + 2, 3)))
    return q if q * (q * q - 1) // 2 == side else 0
