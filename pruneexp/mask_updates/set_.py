"""SET: weights grow anywhere.

Mocanu, Mocanu, Stone, Nguyen, Gibescu & Liotta 2018, "Scalable training of artificial neural networks with adaptive sparse connectivity
inspired by network science", Algorithm 1.
"""

from dataclasses import dataclass

import torch

from pruneexp.components.options import component
from pruneexp.mask_updates.exchange import Exchange
from pruneexp.mask_updates.update import Weight


@component("mask_update", name="set")
@dataclass(frozen=True)
class Set(Exchange):
    """Each layer's smallest weights give way to others drawn at random, all equally likely.

    An update comes after an optimiser's step, as in the paper. That one makes it after each epoch and drops the same share each time, of
    the positive and of the negative weights; here it has RigL's interval, its cosine and its choice by |w|, as Evci et al. (2020) compare
    them. The two then differ in what grows, and in that each of RigL's updates costs the optimiser a step. The paper begins
    with masks of the densities ``er``.

    >>> Set(interval=100, until=0.5).times(1000)
    range(100, 500, 100)
    """

    replaces = False

    def worth(self, weight: Weight, generator: torch.Generator) -> torch.Tensor:
        order = torch.randperm(weight.kept.numel(), generator=generator)
        return order.view(weight.kept.shape).to(weight.kept.device)
