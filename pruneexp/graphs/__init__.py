"""Layers as bipartite graphs: leverages, draws, spectra. Knows nothing of training."""

import importlib
from typing import Any

from pruneexp.graphs.bipartite import biadjacency, components
from pruneexp.graphs.inclusion import inclusion_probabilities
from pruneexp.graphs.leverage import leverage_scores
from pruneexp.graphs.spectrum import bound_gap, imdb, imdb_norm, lambda2

__all__ = [
    "biadjacency",
    "bound_gap",
    "components",
    "imdb",
    "imdb_norm",
    "inclusion_probabilities",
    "lambda2",
    "leverage_scores",
]


def __getattr__(name: str) -> Any:
    if name == "ramanujan":  # loaded on first use: its number theory takes a second or two to import
        return importlib.import_module("pruneexp.graphs.ramanujan")
    raise AttributeError(f"module 'pruneexp.graphs' has no attribute {name!r}")
