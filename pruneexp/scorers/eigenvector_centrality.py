"""Eigenvector centrality: how central a neuron is among those like it."""

import copy
from typing import Literal

import torch
from torch import nn

from pruneexp.components.options import component
from pruneexp.components.values import Count
from pruneexp.data.batches import Batches
from pruneexp.graphs.centrality import Threshold, centrality, cosines, similarity_graph
from pruneexp.network.prunable import prunable, prunable_layers
from pruneexp.scorers.neurons import of_weights


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
            positions, before normalisation.
        samples: images for ``activations``.
        least: the least central neurons score highest; the control of a sceptic.

    Raises:
        UserError: an option not allowed, too few images.
    """
    weights = prunable(model)
    alike = _activations(model, batches.samples(samples)[0]) if of == "activations" else {}
    scores = {}
    for name, weight in weights.items():
        similar = alike[name] if of == "activations" else cosines(weight)
        central = centrality(similarity_graph(similar, tau))
        scores[name] = of_weights(central.max() - central if least else central, weight)
    return scores


def _activations(model: nn.Module, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Cosine similarities [C_out, C_out] of each layer's outputs over all images and positions, in eval mode."""
    network = copy.deepcopy(model).eval()
    grams: dict[str, torch.Tensor] = {}  # of outputs: a sum over batches, where the outputs themselves would not fit
    for name, layer in prunable_layers(network).items():
        channels = 1 if isinstance(layer, nn.Conv2d) else -1

        def add(_: nn.Module, __: object, output: torch.Tensor, name: str = name, axis: int = channels) -> None:
            rows = output.movedim(axis, 0).flatten(1).double()
            grams[name] = grams.get(name, 0) + rows @ rows.T

        layer.register_forward_hook(add)
    like = next(network.parameters())
    with torch.no_grad():
        for part in images.split(16):
            network(part.to(like.device, like.dtype))
    lengths = {name: gram.diagonal().sqrt() for name, gram in grams.items()}
    safe = {name: length.where(length > 0, 1) for name, length in lengths.items()}
    return {name: gram / torch.outer(safe[name], safe[name]) for name, gram in grams.items()}
