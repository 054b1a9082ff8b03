"""Residual networks: ResNet-20/32/44/56 for CIFAR and ResNet-18/34 for larger images."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from pruneexp.components.options import component


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut; the shortcut is a 1x1 convolution where the shape changes, else the identity."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, kernel_size=1, stride=stride, bias=False),
                nn.BatchNorm2d(channels_out),
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class ResNet(nn.Module):
    """He et al. (2016): a stem, stages of basic blocks, the mean over positions, one linear layer.

    Args:
        blocks: basic blocks of each stage.
        widths: channels of each stage; every stage but the first halves the resolution.
        large_stem: 7x7 convolution of stride 2 and 3x3 max pooling of stride 2, instead of one 3x3 convolution.
    """

    def __init__(
        self,
        blocks: Sequence[int],
        widths: Sequence[int],
        num_classes: int,
        channels: int = 3,
        large_stem: bool = False,
    ) -> None:
        super().__init__()
        size, stride = (7, 2) if large_stem else (3, 1)
        self.conv = nn.Conv2d(channels, widths[0], kernel_size=size, stride=stride, padding=size // 2, bias=False)
        self.bn = nn.BatchNorm2d(widths[0])
        self.pool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1) if large_stem else nn.Identity()
        stages: list[nn.Module] = []
        channels = widths[0]
        for stage, (count, width) in enumerate(zip(blocks, widths, strict=True)):
            for block in range(count):
                stages.append(BasicBlock(channels, width, stride=2 if stage > 0 and block == 0 else 1))
                channels = width
        self.blocks = nn.Sequential(*stages)
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.pool(torch.relu(self.bn(self.conv(x))))
        return self.fc(self.blocks(out).mean(dim=(2, 3)))


@component("model")
def resnet_cifar(num_classes: int, input_shape: tuple[int, int, int], depth: Literal[20, 32, 44, 56]) -> ResNet:
    """ResNet-20, 32, 44 or 56: three stages of 16, 32, 64 channels, 1x1 convolutions as shortcuts where the shape changes.

    ResNet-20 on ten classes has 270,896 prunable weights with its two shortcut convolutions (the original's parameter-free
    shortcuts would leave 268,336).
    """
    return ResNet([(depth - 2) // 6] * 3, [16, 32, 64], num_classes, input_shape[0])


@component("model")
def resnet_imagenet(num_classes: int, input_shape: tuple[int, int, int], depth: Literal[18, 34]) -> ResNet:
    """ResNet-18 or 34: 64, 128, 256, 512 channels; 3x3 stem for inputs up to 64 pixels wide, the 7x7 stem above."""
    blocks = {18: [2, 2, 2, 2], 34: [3, 4, 6, 3]}
    large = max(input_shape[1:]) > 64
    return ResNet(blocks[depth], [64, 128, 256, 512], num_classes, input_shape[0], large_stem=large)
