"""Sanity controls: what is left of a method when its scores, its choice of weights or their values are taken away.

Shuffling a mask within its layers keeps only the counts per layer; new initial weights keep only the structure; inverted scores
keep what the method would remove first (Frankle et al. 2021, "Pruning neural networks at initialization: why are we missing the
mark?"; Su et al. 2020, "Sanity-checking pruning methods: random tickets can win the jackpot").
"""

import torch

from pruneexp.masks import Masks


def inverted(scores: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """max + min - score over the whole network: the order turned round, the range and its sign kept."""
    highest = max(float(value.max()) for value in scores.values())
    lowest = min(float(value.min()) for value in scores.values())
    return {name: highest + lowest - value.double() for name, value in scores.items()}  # float32 would make some equal


def shuffled(masks: Masks, generator: torch.Generator) -> Masks:
    """Each layer's mask with its entries in random order."""
    return {
        name: mask.ravel()[torch.randperm(mask.numel(), generator=generator)].reshape(mask.shape)
        for name, mask in masks.items()
    }
