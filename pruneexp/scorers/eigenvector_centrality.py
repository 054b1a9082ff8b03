"""Eigenvector centrality: how central a neuron is among those like it."""

import copy
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import nn

from pruneexp.components.options import component
from pruneexp.components.values import Count
from pruneexp.data.batches import Batches
from pruneexp.graphs.centrality import Threshold, centrality, cosines, similarity_graph
from pruneexp.network.prunable import PROJECTIONS, Place, places
from pruneexp.scorers.derivatives import outputs
from pruneexp.scorers.neurons import of_weights, rows


@component("scorer")
def eigenvector_centrality(
    model: nn.Module,
    batches: Batches,
    generator: torch.Generator,
    tau: Threshold = 0.1,
    of: Literal["weights", "activations"] = "weights",
    samples: Count = 64,
    least: bool = False,
) -> dict[str, torch.Tensor]:
    """The eigenvector centrality of each neuron in its layer's similarity graph, for all of the neuron's weights.

    Chowdhury et al. (2025), "Effective Fine-Tuning with Eigenvector Centrality Based Pruning": neurons are vertices, joined where
    they are alike; of the method only the abstract is public, and the threshold is ours.

    Args:
        model: any network; left as it is.
        batches: with ``activations`` the images that they are taken from; else not used.
        generator: not used.
        tau: neurons are joined where their cosine similarity is above it, in [0, 1).
        of: what is compared: incoming ``weights`` (of a convolution the filter), or ``activations``, a layer's outputs over images and
            positions, before normalisation; of a layer that the network does not use then all scores are 0.
        samples: images for ``activations``.
        least: the least central neurons score highest; the control of a sceptic.

    Raises:
        UserError: an option not allowed, too few images.
    """
    alike = _activations(model, batches.samples(samples)[0]) if of == "activations" else {}
    scores = {}
    for name, place in places(model).items():
        if of == "activations" and name not in alike:
            scores[name] = torch.zeros_like(place.weight, dtype=torch.float64)
            continue
        similar = alike[name] if of == "activations" else cosines(rows(place.module, place.weight))
        central = centrality(similarity_graph(similar, tau))
        scores[name] = of_weights(central.max() - central if least else central, place.module, place.weight)
    return scores


def _activations(model: nn.Module, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Cosine similarities [C_out, C_out] of each layer's outputs over all images and positions, in eval mode."""
    network = copy.deepcopy(model).eval()
    grams: dict[str, torch.Tensor] = {}  # of outputs: a sum over batches, where the outputs themselves would not fit
    for name, place in places(network).items():

        def add(output: torch.Tensor, name: str = name, axis: int = _axis(place.module)) -> None:
            rows = output.movedim(axis, 0).flatten(1).double()
            grams[name] = grams.get(name, 0) + rows @ rows.T

        _when_called(network, place, add)
    with torch.no_grad():
        for part in images.split(16):
            outputs(network, part)
    lengths = {name: gram.diagonal().sqrt() for name, gram in grams.items()}
    safe = {name: length.where(length > 0, 1) for name, length in lengths.items()}
    return {name: gram / torch.outer(safe[name], safe[name]) for name, gram in grams.items()}


def _axis(layer: nn.Module) -> int:
    """The dimension of a layer's outputs that is its neurons."""
    return 1 if isinstance(layer, nn.modules.conv._ConvNd) else -1


def _when_called(network: nn.Module, place: Place, tell: Callable[[torch.Tensor], None]) -> None:
    """Have `tell` called with the outputs [n, ..., C_out] or [n, C_out, ...] of a weight's layer at each pass."""
    attention = next(
        (m for m in network.modules() if isinstance(m, nn.MultiheadAttention) and place.module in (m, m.out_proj)), None
    )

    def hook(_: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
        if attention is None:
            tell(output)
        elif place.module is attention.out_proj:  # which attention reads and does not call
            tell(output[0])
        else:
            which = PROJECTIONS.index(place.attribute)
            name = ("query", "key", "value")[which]
            tell(nn.functional.linear(named[name] if name in named else inputs[which], place.weight))

    (attention or place.module).register_forward_hook(hook, with_kwargs=True)
