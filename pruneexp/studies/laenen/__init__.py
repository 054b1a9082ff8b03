"""Laenen (2023), spectral sparsification: what is put together from several experiments."""
