"""Cunegatti et al. (2024), topology of sparse networks: their tables and figures that need no training."""
