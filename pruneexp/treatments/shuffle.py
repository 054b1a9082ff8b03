"""Shuffled masks: only the number of weights that each layer keeps is left of a method.

A sanity control (Frankle et al. 2021, "Pruning neural networks at initialization: why are we missing the mark?"; Su et al. 2020,
"Sanity-checking pruning methods: random tickets can win the jackpot").
"""

import torch

from pruneexp.components.options import component
from pruneexp.network.masks import Masks


@component("treatment", name="shuffle")
def shuffled(masks: Masks, generator: torch.Generator) -> Masks:
    """Each layer's mask with its entries in random order."""
    return {
        name: mask.ravel()[torch.randperm(mask.numel(), generator=generator)].reshape(mask.shape)
        for name, mask in masks.items()
    }
