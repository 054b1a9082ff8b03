"""Leverage scores in the graph of a whole network (Laenen 2023, Algorithm 1).

A channel is one vertex; the K_h*K_w weights between two channels are parallel edges: their scores add up in the
Laplacian, and each keeps its own leverage S_e * Reff. The paper does not say how it joins a convolution's unfolded
inputs to the layer before.
"""

import itertools

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.csgraph import connected_components

from pruneexp.graphs.chain import chain_resistances
from pruneexp.graphs.elimination import pair_forms

Vertices = tuple[torch.Tensor, torch.Tensor]  # (sources [1 or C_out, C_in / groups], targets [C_out]) of one layer


def network_leverages(
    scores: list[torch.Tensor], wiring: list[Vertices], vertices: int, unit_edges: list[Vertices]
) -> list[torch.Tensor]:
    """Leverage of every weight in the graph of all layers together.

    A chain of layers is solved by block elimination, any other network by its dense Laplacian over channels.

    Args:
        scores: [C_out, C_in / groups, ...] >= 0 of each layer, finite.
        wiring: each layer's vertices.
        vertices: number of channels.
        unit_edges: pairs of channels joined by edges of weight one that are not prunable.

    Returns:
        float64 tensors shaped like the scores, in [0, 1], zero where the score is zero.
    """
    folded = [score.detach().to(torch.float64).reshape(*score.shape[:2], -1) for score in scores]
    if unit_edges or not _is_chain(wiring):
        resistances = _general(folded, wiring, vertices, unit_edges)
    else:
        resistances = _chain(folded, wiring)
    return [
        torch.where(layer > 0, layer * resistance.T[:, :, None], 0.0).clamp_(max=1.0).reshape(score.shape)
        for layer, resistance, score in zip(folded, resistances, scores, strict=True)
    ]


def _is_chain(wiring: list[Vertices]) -> bool:
    """Does each layer take in just what the one before puts out, in order?"""
    for (_, targets), (sources, _) in itertools.pairwise(wiring):
        if sources.shape[0] != 1 or not torch.equal(torch.unique_consecutive(sources), targets):
            return False
    every = torch.cat([wiring[0][0].unique(), *(targets for _, targets in wiring)])
    return wiring[0][0].shape[0] == 1 and len(every.unique()) == len(every)  # merged channels can close a ring


def _chain(folded: list[torch.Tensor], wiring: list[Vertices]) -> list[torch.Tensor]:
    """Resistances [C_in, C_out] of each layer's pairs of channels."""
    blocks, positions = [], []
    for layer, (sources, targets) in zip(folded, wiring, strict=True):
        _, position = torch.unique_consecutive(sources[0], return_inverse=True)
        position = position.to(layer.device)
        block = torch.zeros(int(position.max()) + 1, len(targets), dtype=torch.float64, device=layer.device)
        blocks.append(block.index_add_(0, position, layer.sum(dim=2).T))
        positions.append(position)
    resistances = chain_resistances(blocks)
    return [resistance[position] for resistance, position in zip(resistances, positions, strict=True)]


def _general(
    folded: list[torch.Tensor], wiring: list[Vertices], vertices: int, unit_edges: list[Vertices]
) -> list[torch.Tensor]:
    """The same from the dense Laplacian over all channels, component by component."""
    device = folded[0].device
    coupling = torch.zeros(vertices, vertices, dtype=torch.float64, device=device)
    pairs = []
    for layer, (sources, targets) in zip(folded, wiring, strict=True):
        source, target = (part.to(device) for part in torch.broadcast_tensors(sources, targets[:, None]))
        coupling.index_put_((source, target), layer.sum(dim=2), accumulate=True)
        pairs.append((source, target))
    for one, other in unit_edges:
        weight = torch.ones(len(one), dtype=torch.float64, device=device)
        coupling.index_put_((one.to(device), other.to(device)), weight, accumulate=True)
    coupling = (coupling + coupling.T).fill_diagonal_(0.0)
    resistance = torch.full_like(coupling, torch.inf)
    label = connected_components(sp.csr_array((coupling > 0).cpu().numpy()), directed=False)[1]
    for component in np.flatnonzero(np.bincount(label) > 1):
        members = torch.from_numpy(np.flatnonzero(label == component)).to(device)
        resistance[members[:, None], members] = pair_forms(coupling[members[:, None], members])
    return [resistance[source, target].T for source, target in pairs]
