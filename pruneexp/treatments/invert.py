"""Inverted scores: what the method would remove first is kept.

A sanity control (Frankle et al. 2021, "Pruning neural networks at initialization: why are we missing the mark?").
"""

import torch

from pruneexp.components.options import component


@component("treatment", name="invert")
def inverted(scores: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """max + min - score over the whole network: the order turned round, the range and its sign kept."""
    highest = max(float(value.max()) for value in scores.values())
    lowest = min(float(value.min()) for value in scores.values())
    return {name: highest + lowest - value.double() for name, value in scores.items()}  # float32 would make some equal
