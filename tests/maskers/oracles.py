"""Sparsify's inclusion probabilities from the definitions alone."""

import math
from collections.abc import Sequence

import numpy as np

from pruneexp.layers import Layer
from tests.graphs.oracles import Array, bisected_probabilities, pseudo_inverse_leverages


def expected_inclusion(layers: Sequence[Layer], count: int) -> list[Array]:
    """min(1, 5 ln(n_layer) l_e eps) for each layer [L, R], all layers together summing to `count`."""
    weights = []
    for layer in layers:
        score = (layer.score * layer.available).double().numpy()
        unfolded = score.reshape(len(score), -1).T
        vertices = np.count_nonzero(unfolded.any(axis=0)) + np.count_nonzero(unfolded.any(axis=1))
        weights.append(5 * math.log(vertices) * pseudo_inverse_leverages(unfolded))
    p = bisected_probabilities(np.concatenate([weight.ravel() for weight in weights]), count)
    ends = np.cumsum([weight.size for weight in weights])[:-1]
    return [part.reshape(weight.shape) for part, weight in zip(np.split(p, ends), weights, strict=True)]
