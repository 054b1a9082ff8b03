"""RigL: weights grow where the loss has the steepest gradient.

Evci, Gale, Menick, Castro & Elsen 2020, "Rigging the lottery: making all tickets winners", section 3 and Algorithm 1.
"""

from dataclasses import dataclass

import torch

from pruneexp.components.options import component
from pruneexp.mask_updates.exchange import Exchange
from pruneexp.mask_updates.update import Weight


@component("mask_update", name="rigl")
@dataclass(frozen=True)
class RigL(Exchange):
    """Each layer's smallest weights give way to those of the highest |gradient| of the batch's loss.

    An update takes the place of the optimiser's step: the batch's gradients, which training has of pruned weights too, say what grows,
    and move nothing; momentum stands still. BatchNorm's statistics see the batch as they see any other. The paper begins with masks of
    the densities ``erk``.

    The authors' code (google-research/rigl, sparse_optimizers_base.py) differs from Algorithm 1 and from here: an update does not count as
    a step, so none is lost, and the first comes at step 0. Its networks for CIFAR keep the first layer dense (prune_first_layer); here a
    layer is left out by ``exclude``.

    >>> RigL(interval=100).times(1000)
    range(100, 750, 100)
    """

    replaces = True

    def worth(self, weight: Weight, generator: torch.Generator) -> torch.Tensor | None:
        return None if weight.gradient is None else weight.gradient.abs()
