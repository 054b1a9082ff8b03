"""Structured: whole neurons stay or go."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

from pruneexp.components.options import component
from pruneexp.errors import UserError
from pruneexp.layers import Layer, Notes, highest, kept_count, rounded_up
from pruneexp.network.coupling import Coupled
from pruneexp.network.removal import neuron_masks


@component("masker", removes_neurons=True)
def structured(
    layers: Sequence[Layer],
    density: float,
    generator: torch.Generator,
    notes: Notes,
    scope: Literal["layerwise", "global"] = "layerwise",
) -> dict[str, torch.Tensor]:
    """Masks that keep a share of the neurons, the highest-scored, with everything coupled to them.

    A neuron's score is the mean score of its weights, divided by the layer's mean so that layers compare; of neurons that are
    coupled (by a shortcut, say) it is the mean over their layers. Equal scores go by index. The network's outputs, the
    classes, are never removed.

    Args:
        layers: of a network, with how its channels are coupled. Of those that are not to be pruned, and whatever is coupled to them, the
            neurons stay; what they read of others goes.
        density: kept / all neurons - of neurons here, not of weights; the share of weights is what comes of it.
        generator: not used.
        notes: receives neurons, kept_neurons.
        scope: ``layerwise`` keeps round(density n) of the n neurons of each group of coupled layers; ``global`` the highest of the
            whole network, and at least one of each group.

    Returns:
        bool mask by weight name: False in the rows of removed neurons and the columns that read them.

    Raises:
        UserError: scope or density not allowed, a group without a neuron left, weights pruned in an earlier round.
    """
    kept_count(layers, density)
    if not all(bool(layer.available.all()) for layer in layers):
        raise UserError(
            "structured removes whole neurons and goes on from no pruned weights: it goes with rounds=1 and no masks on."
        )
    scored = {layer.name: layer.score for layer in layers}
    groups = [group for group in coupled_channels(layers) if group.outputs.keys() <= scored.keys()]
    if not groups:
        raise UserError(
            "only and exclude leave no neurons that could be removed: each is coupled to one of a layer that stays."
        )
    scores = _scores(layers, groups)
    sizes = np.array([group.channels for group in groups])
    chosen = _globally(scores, density) if scope == "global" else _layerwise(groups, scores, density)
    notes |= {"neurons": int(sizes.sum()), "kept_neurons": int(sum(int(kept.sum()) for kept in chosen))}
    return neuron_masks(groups, [torch.from_numpy(kept) for kept in chosen], scored | getattr(layers, "others", {}))


def coupled_channels(layers: Sequence[Layer]) -> list[Coupled]:
    """How the layers' channels are coupled.

    Raises:
        UserError: the network is not known, or `pruneexp.network.coupling.coupled` finds no channel that could go.
    """
    coupled = getattr(layers, "coupled", None)
    if coupled is None:
        raise UserError("structured has to run the network to see how its channels are coupled: pass example_input.")
    groups: list[Coupled] = coupled()
    return groups


def _scores(layers: Sequence[Layer], groups: list[Coupled]) -> list[np.ndarray]:
    """float64 [channels] of each group."""
    by_layer = {}
    for layer in layers:
        neurons = layer.score.detach().cpu().double().flatten(1).mean(dim=1)
        by_layer[layer.name] = neurons / mean if (mean := neurons.abs().mean()) > 0 else neurons
    scores = []
    for group in groups:
        total, count = torch.zeros(group.channels, dtype=torch.float64), torch.zeros(group.channels)
        for name, (rows, channels) in group.outputs.items():
            total.index_add_(0, channels, by_layer[name][rows])
            count.index_add_(0, channels, torch.ones(len(channels)))
        scores.append((total / count).numpy())
    return scores


def _layerwise(groups: list[Coupled], scores: list[np.ndarray], density: float) -> list[np.ndarray]:
    chosen = []
    for group, values in zip(groups, scores, strict=True):
        count = round(density * len(values))
        if count == 0:
            raise UserError(
                f"density {density} leaves no neuron of {next(iter(group.outputs))}, which has {len(values)}: use at least"
                f" {rounded_up(0.51 / min(len(other) for other in scores)):g}."
            )
        chosen.append(highest(values, count))
    return chosen


def _globally(scores: list[np.ndarray], density: float) -> list[np.ndarray]:
    together = np.concatenate(scores)
    count = round(density * len(together))
    if count < len(scores):
        raise UserError(
            f"density {density} keeps {count} of {len(together)} neurons, fewer than one in each of the {len(scores)} groups of layers:"
            f" use at least {rounded_up(len(scores) / len(together)):g}."
        )
    starts = np.cumsum([0, *(len(values) for values in scores[:-1])])
    best = [start + int(values.argmax()) for start, values in zip(starts, scores, strict=True)]
    together[best] = np.inf  # one of each group stays in any case
    return np.split(highest(together, count), starts[1:])
