"""Conv-6: six convolutions and three linear layers (Frankle & Carbin 2019, with BatchNorm)."""

import torch
from torch import nn

from pruneexp.components.options import component
from pruneexp.errors import UserError


@component("model", name="conv6")
class Conv6(nn.Module):
    """Pairs of 3x3 convolutions of 64, 128 and 256 channels, each pair max-pooled, then linear layers of 256, 256, classes.

    BatchNorm follows every layer but the last (Cunegatti et al., appendix A.2 and Table 5: about 2.3 million weights on 32x32).

    Raises:
        UserError: the input is smaller than 8x8.
    """

    def __init__(self, num_classes: int, input_shape: tuple[int, int, int]) -> None:
        super().__init__()
        channels, height, width = input_shape
        if min(height, width) < 8:
            raise UserError(f"conv6 needs images of at least 8x8, got {height}x{width}.")
        layers: list[nn.Module] = []
        for out in (64, 128, 256):
            for _ in range(2):
                layers += [nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
                channels = out
            layers.append(nn.MaxPool2d(2))
        layers.append(nn.Flatten())
        units = channels * (height // 8) * (width // 8)
        for _ in range(2):
            layers += [nn.Linear(units, 256, bias=False), nn.BatchNorm1d(256), nn.ReLU()]
            units = 256
        self.layers = nn.Sequential(*layers)
        self.fc = nn.Linear(units, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.layers(x))
