"""Losses and hits, added up on the device."""

import math

import torch

from pruneexp.training.data_parallel import Reduction
from pruneexp.training.step import losses


class Tally:
    """Counts the images that networks have seen, their losses and how many they got right.

    Args:
        networks: how many.
        device: that counts.
        reduction: over the processes that share the images, if they do.
    """

    def __init__(self, networks: int, device: torch.device, reduction: Reduction | None = None) -> None:
        self.reduction = reduction
        # loss, hits, images; of each network
        self.totals = torch.zeros(networks, 3, dtype=torch.float64, device=device)

    def count(self, network: int, logits: torch.Tensor, labels: torch.Tensor, smoothing: float = 0.0) -> None:
        """Add images that one of the networks has seen, from logits [b, classes] and labels [b], without waiting for the device.

        Of mixed images, whose labels are [b, classes], a hit is the class of the larger share.
        """
        if len(labels) == 0:  # of a chunk shared with other processes
            return
        total = self.totals[network]
        total[0] += losses(logits, labels, smoothing).double().sum()
        total[1] += (logits.argmax(dim=1) == (labels if labels.dim() == 1 else labels.argmax(dim=1))).sum()
        total[2] += len(labels)

    def take(self) -> list[tuple[float, float]]:
        """Each network's mean loss and accuracy (percent) over all images since this was last called; nan of one that has seen none."""
        if self.reduction is not None:
            self.reduction.sum(self.totals)
        means = [_means(*row) for row in self.totals.tolist()]
        self.totals.zero_()
        return means


def _means(loss: float, hits: float, images: float) -> tuple[float, float]:
    return (loss / images, 100 * hits / images) if images else (math.nan, math.nan)
