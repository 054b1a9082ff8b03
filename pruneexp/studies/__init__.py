"""Whole studies of the papers that are no grid of cells; each is run as ``python -m pruneexp.studies.NAME``."""
