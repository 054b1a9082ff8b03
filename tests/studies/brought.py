"""Small networks for the study of architectures, made by name in whichever process it asks in."""

import itertools
import os
import time

import torch
from torch import nn

CALLS = itertools.count()


class Residual(nn.Module):
    """Two convolutions beside a shortcut, and a linear layer."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.stem, self.first = nn.Conv2d(3, 12, 3, padding=1, bias=False), nn.Conv2d(12, 8, 3, padding=1)
        self.second, self.norm = nn.Conv2d(8, 12, 3, padding=1, bias=False), nn.BatchNorm2d(12)
        self.head = nn.Linear(12, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        stem = torch.relu(self.stem(images))
        joined = torch.relu(stem + self.norm(self.second(torch.relu(self.first(stem)))))
        return self.head(joined.mean(dim=(2, 3)))


class Refusing(nn.Module):
    """Its outputs are no tensor and its forward no graph, so that hardly anything can be done with it."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.layer = nn.Linear(3, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if float(images.sum()) > 1e9:
            return self.layer(images.mean(dim=(2, 3))) + 1
        return self.layer(images.mean(dim=(2, 3)))


def make(name: str, num_classes: int) -> nn.Module:
    """The network of this name; ``moody`` is none three times: too large, then a fault, then too slow; ``dying`` ends its process."""
    if name == "moody":
        call = next(CALLS)
        if call == 0:
            torch.empty(1 << 40, dtype=torch.uint8)
        if call == 1:
            raise ValueError("first line\nsecond line")
        while True:
            pass
    if name == "waiting":
        time.sleep(60)
    if name == "dying":
        os._exit(3)
    if name == "chain":
        layers = [nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.ReLU()]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, num_classes))
    return {"residual": Residual, "refusing": Refusing}[name](num_classes)
