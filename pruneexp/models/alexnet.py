"""AlexNet for small images."""

import torch
from torch import nn

from pruneexp.components.options import component
from pruneexp.models.vgg import Dropout, Hidden, classifier


class AlexNet(nn.Module):
    """Krizhevsky et al. (2012) with kernels for 32x32 images.

    Its five convolutions of 96, 256, 384, 384 and 256 channels, all 3x3 but the first (5x5, stride 1), pooled after the first, second
    and last. The paper on deterministic Ramanujan graphs gives its first linear layer 25088 inputs and does not say how: here
    adaptive pooling to 7x14 makes 256 channels just that many.
    """

    def __init__(self, num_classes: int, hidden: int, channels: int = 3, dropout: float = 0.0) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, 96, kernel_size=5, padding=2), nn.ReLU(), nn.MaxPool2d(kernel_size=2, stride=2),
            nn.Conv2d(96, 256, kernel_size=3, padding=1), nn.ReLU(), nn.MaxPool2d(kernel_size=2, stride=2),
            nn.Conv2d(256, 384, kernel_size=3, padding=1), nn.ReLU(),
            nn.Conv2d(384, 384, kernel_size=3, padding=1), nn.ReLU(),
            nn.Conv2d(384, 256, kernel_size=3, padding=1), nn.ReLU(), nn.MaxPool2d(kernel_size=2, stride=2),
            nn.AdaptiveAvgPool2d((7, 14)),
        )  # fmt: skip
        self.classifier = classifier(256 * 98, hidden, num_classes, dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(torch.flatten(self.features(x), 1))


@component("model", version=2)
def alexnet(
    num_classes: int, input_shape: tuple[int, int, int], hidden: Hidden = 4096, dropout: Dropout = 0.0
) -> AlexNet:
    """AlexNet with `hidden` neurons in its linear layers, of which a training step leaves out the share `dropout`."""
    return AlexNet(num_classes, hidden, input_shape[0], dropout)
