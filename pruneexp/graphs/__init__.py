"""Layers as bipartite graphs: leverages, draws, spectra. Knows nothing of training."""

from pruneexp.graphs.bipartite import biadjacency, components
from pruneexp.graphs.inclusion import inclusion_probabilities
from pruneexp.graphs.leverage import leverage_scores
from pruneexp.graphs.spectrum import bound_gap, imdb, lambda2

__all__ = [
    "biadjacency",
    "bound_gap",
    "components",
    "imdb",
    "inclusion_probabilities",
    "lambda2",
    "leverage_scores",
]
