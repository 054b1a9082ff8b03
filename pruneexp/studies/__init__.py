"""Whole studies of the papers that are no grid of cells; each is run as ``python -m pruneexp.studies.PAPER.NAME``.

The folders bear the names that the papers' experiments begin with: `laenen`, `ramanujan`, `topology` (Cunegatti et al.; what it
computes with is in `prediction`). Those beside them belong to no one paper; what `fidelity` reads is in `published`. A study computes in
functions that return its table or figure and writes in `main`; what all share is in `report`.
"""

from pruneexp.system.threads import spin_less

spin_less()  # before a study imports torch
