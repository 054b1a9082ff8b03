"""Losses and hits, added up on the device."""

import torch

from pruneexp.training.data_parallel import Reduction
from pruneexp.training.step import losses


class Tally:
    """Counts the images that networks have seen, their losses and how many they got right.

    Args:
        members: how many networks.
        device: that counts.
        reduction: over the processes that share the images, if they do.
    """

    def __init__(self, members: int, device: torch.device, reduction: Reduction | None = None) -> None:
        self.reduction = reduction
        # loss, hits, images; of each network
        self.totals = torch.zeros(3, members, dtype=torch.float64, device=device)

    def count(self, logits: torch.Tensor, labels: torch.Tensor, smoothing: float = 0.0) -> None:
        """Add images, from logits [members, b, classes] and labels [b], without waiting for the device."""
        if len(labels) == 0:  # of a chunk shared with other processes
            return
        self.totals[0] += losses(logits, labels, smoothing).double().sum(dim=1)
        self.totals[1] += (logits.argmax(dim=2) == labels).sum(dim=1)
        self.totals[2] += len(labels)

    def take(self) -> list[tuple[float, float]]:
        """Each network's mean loss and accuracy (percent) over all images since this was last called."""
        if self.reduction is not None:
            self.reduction.sum(self.totals)
        means = [(loss / images, 100 * hits / images) for loss, hits, images in self.totals.T.tolist()]
        self.totals.zero_()
        return means
