"""Bipartite Ramanujan graphs, each with its certificate."""

from pruneexp.graphs.ramanujan.array_code import array_code
from pruneexp.graphs.ramanujan.biregular import biregular
from pruneexp.graphs.ramanujan.certificate import RamanujanGraph, certify
from pruneexp.graphs.ramanujan.galois_array_code import galois_array_code
from pruneexp.graphs.ramanujan.lps import lps

__all__ = ["RamanujanGraph", "array_code", "biregular", "certify", "galois_array_code", "lps"]
