"""Sparsify: draw the mask by effective resistances, layer by layer (Laenen 2023, Algorithm 2)."""

from collections.abc import Sequence

import numpy as np
import torch

from pruneexp.errors import UserError
from pruneexp.graphs.bipartite import biadjacency
from pruneexp.graphs.inclusion import inclusion_probabilities, sampling_weight
from pruneexp.graphs.leverage import leverage_scores
from pruneexp.graphs.sampling import independent_then_fill, systematic
from pruneexp.maskers.layer import Layer, Notes, kept_count, split


def sparsify(
    layers: Sequence[Layer],
    density: float,
    generator: torch.Generator,
    notes: Notes,
    sampling: str = "systematic",
) -> dict[str, torch.Tensor]:
    """Draw exactly round(density * N) weights with p_e = min(1, 5 ln(n_layer) l_e eps).

    l_e is the leverage of weight e in its layer's bipartite graph, whose edge weights are the scores; one eps for
    the whole network, so that a layer's share follows its vertices and not its weights. Where fewer weights than
    wanted have a positive score, all of those are kept and the rest is drawn uniformly from the zero-score weights
    that no earlier round pruned; ``notes["filled"]`` says how many. Training starts from the original weights:
    the sparsifier's reweighting w_e / p_e is not part of the mask.

    Args:
        layers: the network's prunable weights with their scores, non-negative.
        density: kept / prunable weights.
        generator: the random stream of the draw.
        notes: receives ``filled``.
        sampling: ``systematic`` (exactly m edges, inclusion probability exactly p_e) or ``paper`` (slightly fewer
            than m independent draws, then uniformly random edges).

    Returns:
        bool mask by weight name.

    Raises:
        UserError: density or sampling not allowed, negative scores.
    """
    if sampling not in ("systematic", "paper"):
        raise UserError(f"sparsify's sampling must be systematic or paper, got {sampling!r}.")
    count = kept_count(layers, density)
    weights = edge_weights(layers, count, notes)
    seed = int(torch.randint(2**62, (), generator=generator))
    rng = np.random.default_rng(seed)
    flat = np.concatenate([weight.ravel() for weight in weights])
    if sampling == "systematic" or notes["filled"]:  # all positive scores are certain then, and the rest is uniform
        chosen = systematic(inclusion_probabilities(flat, count), rng)
    else:
        chosen = independent_then_fill(flat, count, rng)
    return split(chosen, layers)


def inclusion(layers: Sequence[Layer], count: int, notes: Notes) -> list[np.ndarray]:
    """p_e of every weight, one float64 array shaped like each layer's weight; together they sum to `count`."""
    weights = edge_weights(layers, count, notes)
    flat = inclusion_probabilities(np.concatenate([weight.ravel() for weight in weights]), count)
    ends = np.cumsum([layer.size for layer in layers])[:-1]
    return [part.reshape(layer.score.shape) for part, layer in zip(np.split(flat, ends), layers, strict=True)]


FILLER = 1e-200  # weight of a fill-in edge: certain never, and no other edge loses any probability to it


def edge_weights(layers: Sequence[Layer], count: int, notes: Notes) -> list[np.ndarray]:
    """q_e = 5 ln(n_layer) l_e of every weight, shaped like each layer's weight; at least `count` are positive."""
    weights = []
    for layer in layers:
        score = torch.where(layer.available, layer.score, 0.0)
        if bool((score < 0).any()):
            raise UserError(f"sparsify needs non-negative scores, and {layer.name} has negative ones: use greedy.")
        leverages = leverage_scores(biadjacency(score)).cpu().numpy()
        weights.append(sampling_weight(leverages).T.reshape(layer.score.shape))
    positive = sum(int(np.count_nonzero(weight)) for weight in weights)
    notes["filled"] = max(count - positive, 0)
    if count > positive:
        for layer, weight in zip(layers, weights, strict=True):
            weight[layer.available.cpu().numpy() & (weight == 0)] = FILLER
    return weights
