"""Wide residual networks (Zagoruyko & Komodakis 2016): WRN-28-2."""

from typing import Annotated

import torch
from pydantic import AfterValidator, Field
from torch import nn

from pruneexp.components.options import component
from pruneexp.components.values import Words


class PreActivationBlock(nn.Module):
    """BatchNorm, ReLU, 3x3 convolution, twice; the shortcut is a 1x1 convolution of the activated input where channels change."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels_out, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, kernel_size=3, padding=1, bias=False)
        self.projects = channels_in != channels_out
        if self.projects:
            self.shortcut = nn.Conv2d(channels_in, channels_out, kernel_size=1, stride=stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        active = torch.relu(self.bn1(x))
        out = self.conv2(torch.relu(self.bn2(self.conv1(active))))
        return out + (self.shortcut(active) if self.projects else x)


def _whole_blocks(depth: int) -> int:
    if depth % 6 != 4:
        raise ValueError
    return depth


Depth = Annotated[
    int, Field(ge=10, le=1000), AfterValidator(_whole_blocks), Words("10, 16, 22, 28 ... (6 n + 4), at most 1000")
]


@component("model", name="wide_resnet")
class WideResNet(nn.Module):
    """A stem of 16 channels, three stages of (depth - 4) / 6 blocks of 16, 32, 64 times `widen` channels, one linear layer.

    WRN-28-2 has about 1.4 million weights on ten classes (Cunegatti et al., appendix A.2).

    Args:
        depth: 6 n + 4.
        widen: the factor k of the widths.
    """

    def __init__(
        self,
        num_classes: int,
        input_shape: tuple[int, int, int],
        depth: Depth,
        widen: Annotated[int, Field(ge=1, le=100)],
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(input_shape[0], 16, kernel_size=3, padding=1, bias=False)
        blocks: list[nn.Module] = []
        channels = 16
        for stage in range(3):
            width = 16 * widen * 2**stage
            for block in range((depth - 4) // 6):
                blocks.append(PreActivationBlock(channels, width, stride=2 if stage > 0 and block == 0 else 1))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.bn = nn.BatchNorm2d(channels)
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = torch.relu(self.bn(self.blocks(self.conv(x))))
        return self.fc(out.mean(dim=(2, 3)))
