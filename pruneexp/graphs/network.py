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
from pruneexp.graphs.tree import tree_resistances

Vertices = tuple[torch.Tensor, torch.Tensor]  # (sources [1 or C_out, C_in / groups], targets [C_out]) of one layer
DENSE = 2000  # vertices up to which a dense Laplacian costs less than a tree's overhead


def network_leverages(
    scores: list[torch.Tensor], wiring: list[Vertices], vertices: int, unit_edges: list[Vertices]
) -> list[torch.Tensor]:
    """Leverage of every weight in the graph of all layers together.

    A chain of layers is solved by block elimination, any other network of many channels by elimination along a tree.

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
    finite = [torch.where(resistance.isinf(), 0.0, resistance) for resistance in resistances]  # where no edge is
    return [
        (layer * resistance.T[:, :, None]).clamp_(max=1.0).reshape(score.shape)
        for layer, resistance, score in zip(folded, finite, scores, strict=True)
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
    """The same for any network, component by component: a small one by its dense Laplacian."""
    device = folded[0].device
    pairs, weights = [], []
    for layer, (sources, targets) in zip(folded, wiring, strict=True):
        source, target = torch.broadcast_tensors(sources.to(device), targets.to(device)[:, None])
        pairs.append(torch.stack([source, target]))
        weights.append(layer.sum(dim=2))
    units = [torch.stack([one, other]).to(device) for one, other in unit_edges]
    ends = torch.cat([pair.flatten(1) for pair in (*pairs, *units)], dim=1)
    weight = torch.cat(
        [*(part.ravel() for part in weights), *(torch.ones_like(one, dtype=torch.float64) for one, _ in units)]
    )
    resistance = torch.full_like(weight, torch.inf)
    edges = (weight > 0).nonzero()[:, 0]
    graph = sp.coo_array((np.ones(len(edges)), ends[:, edges].cpu().numpy()), shape=(vertices, vertices))
    label = torch.from_numpy(connected_components(graph, directed=False)[1]).long().to(device)
    sets = _alike(wiring, unit_edges, vertices).to(device)
    component = label[ends[0, edges]]
    if bool((component[1:] < component[:-1]).any()):  # in a single one there is nothing to sort
        edges = edges[component.argsort(stable=True)]
    for part in edges.split(torch.bincount(component).tolist()):
        if len(part):
            members = label == label[ends[0, part[0]]]
            local = members.cumsum(0) - 1
            resistance[part] = _connected(local[ends[:, part]], weight[part], sets[members])
    found = resistance[: sum(part.numel() for part in weights)].split([part.numel() for part in weights])
    return [flat.reshape(part.shape).T for flat, part in zip(found, weights, strict=True)]


def _connected(ends: torch.Tensor, weight: torch.Tensor, sets: torch.Tensor) -> torch.Tensor:
    """Resistances of the edges of one component."""
    if len(sets) > DENSE:
        return tree_resistances(ends, weight, torch.unique(sets, return_inverse=True)[1])
    coupling = torch.zeros(len(sets), len(sets), dtype=torch.float64, device=weight.device)
    coupling.index_put_((ends[0], ends[1]), weight, accumulate=True)
    return pair_forms((coupling + coupling.T).fill_diagonal_(0.0))[ends[0], ends[1]]


def _alike(wiring: list[Vertices], unit_edges: list[Vertices], vertices: int) -> torch.Tensor:
    """Sets of channels that the same layers read and make, by number, int64 [vertices]."""
    sides = [side for pair in (*wiring, *unit_edges) for side in pair]
    member = torch.zeros(vertices, len(sides), dtype=torch.bool)
    for number, side in enumerate(sides):
        member[side.flatten(), number] = True
    return torch.unique(member, dim=0, return_inverse=True)[1]
