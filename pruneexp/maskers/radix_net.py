"""RadiX-Net masks: mixed-radix numeral systems as layers (Kepner & Robinett 2019)."""

import math
from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
import torch

from pruneexp.components.options import component
from pruneexp.errors import UserError
from pruneexp.layers import Layer, Notes, kept_count
from pruneexp.maskers.structural import masks_of_graphs, sides


@component("masker", needs_scores=False, own_density=True)
def radix_net(
    layers: Sequence[Layer],
    density: float,
    generator: torch.Generator,
    notes: Notes,
    counts: np.ndarray | None = None,
) -> dict[str, torch.Tensor]:
    """Each layer a mixed-radix butterfly, Kronecker a block of ones, at the density its sizes allow next to the one asked for.

    With g the greatest common divisor of a layer's sides C_out and C_in K_h K_w, and r a divisor of g, node x of g is joined
    to x + j v mod g, j = 0 ... r - 1, and every such edge is a block of ones C_out/g x C_in K_h K_w/g: density r / g.
    The place value v is the product of the radices of the layers before with the same g, starting again at 1 when it
    reaches g, so that a full turn of layers joins every input to every output by equally many paths. r is the divisor
    closest to density * g.

    Args:
        layers: whose scores do not matter.
        density: asked for; the construction's own number of weights is kept, which the record's density tells.
        generator: not used.
        notes: receives ``dense_layers``, those whose sides allow no smaller density.
        counts: of an allocation, int64 [layers], each a number that its layer's construction can have.

    Returns:
        bool mask by weight name.

    Raises:
        UserError: density not allowed, a layer whose construction cannot have an allocation's number, or a round after the first.
    """
    kept_count(layers, density)
    places: dict[int, int] = {}
    notes["dense_layers"] = 0

    def graph(k: int, layer: Layer) -> sp.sparray | None:
        rows, columns = sides(layer)
        g = math.gcd(rows, columns)
        place = places.get(g, 1)
        # the radices of a turn multiply to g, so a layer's divides what the layers before have left of it
        radices = [r for r in range(2, g + 1) if g // place % r == 0] or [1]
        share = density if counts is None else counts[k] / layer.size
        radix = min(radices, key=lambda r: (abs(r - share * g), -r))
        if counts is not None and radix * (layer.size // g) != counts[k]:
            raise UserError(
                f"radix_net cannot keep {counts[k]} of {layer.name}'s {layer.size} weights: its sides allow"
                f" {', '.join(str(r * (layer.size // g)) for r in radices)}; take another allocation or masker."
            )
        places[g] = 1 if place * radix >= g else place * radix
        if radix == g:
            notes["dense_layers"] += 1
            return None
        x, j = (part.ravel() for part in np.meshgrid(np.arange(g), np.arange(radix), indexing="ij"))
        butterfly = sp.csr_array((np.ones(len(x)), (x, (x + j * place) % g)), shape=(g, g))
        return sp.csr_array(sp.kron(butterfly, np.ones((rows // g, columns // g))))

    return masks_of_graphs(layers, "radix_net", graph)
