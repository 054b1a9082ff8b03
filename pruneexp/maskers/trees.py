"""A spanning tree under the draw, so that no layer falls apart that can afford one."""

from collections.abc import Sequence

import numpy as np

from pruneexp.graphs.inclusion import inclusion_probabilities
from pruneexp.graphs.sampling import systematic
from pruneexp.graphs.spanning_tree import cover, wilson
from pruneexp.layers import Layer, Notes


def draw_with_trees(
    layers: Sequence[Layer],
    leverages: list[np.ndarray],
    p: np.ndarray,
    count: int,
    rng: np.random.Generator,
    notes: Notes,
) -> np.ndarray:
    """Exactly `count` weights: a random spanning tree of each layer that can afford one, the rest drawn as before.

    A tree T drawn with probability proportional to the product of its scores contains e with probability l_e. A layer
    can afford it iff p_e >= l_e for all its weights, that is, 5 ln(n_layer) eps >= 1; every other weight is then
    kept with r_e = (p_e - l_e) / (1 - l_e), which makes its total inclusion p_e. The sum of r over the weights outside T
    varies with T, so r is scaled to meet the count: over 10,000 draws the largest |frequency - p_e| was 0.027 for layers
    of 24 and 12 weights (22 kept), and 0.015, which is within the noise, for layers of 288 and 160 (100 kept). A layer
    that cannot afford a tree has fewer weights than vertices to join: it spends them on covering as many as possible, and so falls into
    as many pieces as it can, stars and single edges (results/tables/connectivity.md has ResNet-20 at 2 %).

    Args:
        layers, leverages: as `sparsify` has them; p: inclusion probabilities of all weights in one row, summing to `count`.
        notes: receives ``tree_layers`` (with a tree under them), ``cover_layers``, and ``inexact_trees`` (completed
            without Wilson's algorithm).

    Returns:
        bool [N], `count` True.
    """
    fixed, rest = np.zeros(len(p), dtype=bool), np.zeros(len(p))
    notes |= {"tree_layers": 0, "cover_layers": 0, "inexact_trees": 0}
    start = 0
    for layer, leverage in zip(layers, leverages, strict=True):
        part = slice(start, start := start + layer.size)
        own, tree_share = p[part], leverage.ravel()
        rows = layer.score.shape[0]
        score = np.where(layer.available.cpu().numpy(), layer.score.cpu().double().numpy(), 0.0).reshape(rows, -1)
        if (own >= tree_share * (1 - 1e-9)).all():
            tree, exact = wilson(score, rng)
            fixed[part] = tree.ravel()
            rest[part] = np.divide(
                own - tree_share, 1 - tree_share, out=np.zeros_like(own), where=tree_share < 1 - 1e-12
            )
            notes["tree_layers"] += 1
            notes["inexact_trees"] += not exact
        else:
            fixed[part] = cover(score, int(own.sum()), rng).ravel()
            # what the cover does not need of the layer's budget stays in the layer
            other = np.where(fixed[part], 0.0, own)
            left_over = own.sum() - fixed[part].sum()
            rest[part] = np.minimum(other * max(left_over, 0.0) / max(other.sum(), 1e-300), 1.0)
            notes["cover_layers"] += 1
    rest[fixed] = 0.0
    np.maximum(rest, 0.0, out=rest)
    missing = count - int(fixed.sum())
    rest += 1e-12 * np.where(fixed, 0.0, p)  # only where the trees leave too few others
    return np.asarray(fixed | systematic(inclusion_probabilities(rest, missing), rng))
