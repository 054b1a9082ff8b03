"""VGG for small images, as OpenLTH builds it: BatchNorm after every convolution and one linear layer."""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from pruneexp.components.options import component
from pruneexp.errors import UserError

Depth = Literal[11, 13, 16, 19]
Hidden = Annotated[int, Field(ge=1, le=65_536)]  # neurons of a linear layer
Dropout = Annotated[float, Field(ge=0, lt=1)]  # share of them that a training step leaves out
M = "M"  # a 2x2 max pooling
PLANS: dict[Depth, list[int | str]] = {
    11: [64, M, 128, M, 256, 256, M, 512, 512, M, 512, 512],
    13: [64, 64, M, 128, 128, M, 256, 256, M, 512, 512, M, 512, 512],
    16: [64, 64, M, 128, 128, M, 256, 256, 256, M, 512, 512, 512, M, 512, 512, 512],
    19: [64, 64, M, 128, 128, M, 256, 256, 256, 256, M, 512, 512, 512, 512, M, 512, 512, 512, 512],
}
SMALL: list[int | str] = [16, M, 32, M, 64, M, 64]


class ConvBlock(nn.Module):
    """3x3 convolution, BatchNorm, ReLU. The convolution has no bias: BatchNorm would cancel it."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(channels_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.bn(self.conv(x)))


class VGG(nn.Module):
    """Simonyan & Zisserman (2014) for 32x32 images, in OpenLTH's form and with its names.

    ``layers.<k>`` counts convolution blocks and poolings together, so that ``layers.10`` of VGG-11 is its seventh
    convolution. The last feature map is averaged over all positions, then one linear layer.
    """

    def __init__(self, plan: Sequence[int | str], num_classes: int, channels: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for step in plan:
            if isinstance(step, str):
                layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
            else:
                layers.append(ConvBlock(channels, step))
                channels = step
        self.layers = nn.Sequential(*layers)
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.layers(x).mean(dim=(2, 3)))


@component("model")
def vgg(num_classes: int, input_shape: tuple[int, int, int], depth: Depth) -> VGG:
    """VGG-11, 13, 16 or 19."""
    return VGG(PLANS[depth], num_classes, input_shape[0])


@component("model")
def vgg_small(num_classes: int, input_shape: tuple[int, int, int]) -> VGG:
    """Four convolutions (16, 32, 64, 64) for digits: trained in seconds on a CPU."""
    return VGG(SMALL, num_classes, input_shape[0])


class VGGBase(nn.Module):
    """The VGG of Simonyan & Zisserman (2014) with its three linear layers: 135M parameters with 4096 neurons in each.

    Convolutions with bias and no BatchNorm, the last feature map resized to 7x7 by adaptive pooling whatever the input's size
    (1x1 for 32x32 images), 25088 -> hidden -> hidden -> classes.
    """

    def __init__(
        self, plan: Sequence[int | str], num_classes: int, hidden: int, channels: int = 3, dropout: float = 0.0
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for step in plan:
            if isinstance(step, str):
                layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
            else:
                layers += [nn.Conv2d(channels, step, kernel_size=3, padding=1), nn.ReLU()]
                channels = step
        self.features = nn.Sequential(*layers, nn.MaxPool2d(kernel_size=2, stride=2), nn.AdaptiveAvgPool2d(7))
        self.classifier = classifier(channels * 49, hidden, num_classes, dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(torch.flatten(self.features(x), 1))


def classifier(inputs: int, hidden: int, num_classes: int, dropout: float) -> nn.Sequential:
    """Two hidden linear layers, each followed by dropout where there is any, and the linear output."""
    # what does nothing holds dropout's place, so that weights have the same names with it and without
    first, second = (nn.Dropout(dropout) if dropout else nn.Identity() for _ in range(2))
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.ReLU(), first,
        nn.Linear(hidden, hidden), nn.ReLU(), second,
        nn.Linear(hidden, num_classes),
    )  # fmt: skip


@component("model", version=2)
def vgg_base(
    num_classes: int, input_shape: tuple[int, int, int], depth: Depth, hidden: Hidden = 4096, dropout: Dropout = 0.0
) -> VGGBase:
    """VGG-11, 13, 16 or 19 with `hidden` neurons in its linear layers; "Deterministic Ramanujan graphs" uses 4096 and 2448.

    `dropout` is the share of the neurons of each hidden linear layer that a training step leaves out: one half in Simonyan &
    Zisserman (2014), none in that paper, as far as it says.

    Raises:
        UserError: images smaller than 32x32.
    """
    if min(input_shape[1:]) < 32:
        raise UserError(
            f"vgg_base halves the image five times and needs 32x32 pixels, got {input_shape[1]}x{input_shape[2]}."
        )
    return VGGBase(PLANS[depth], num_classes, hidden, input_shape[0], dropout)
