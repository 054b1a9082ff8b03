"""A small vision transformer (Dosovitskiy et al. 2021) for images of 32x32 and 64x64."""

from typing import Annotated

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from pruneexp.components.options import component
from pruneexp.components.values import Count
from pruneexp.errors import UserError


def attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, heads: int) -> torch.Tensor:
    """Every position's mean of the values at all positions, weighted by softmax(q k' / sqrt(d)), head by head; maps [n, C, H, W]."""
    shape = query.shape
    q, k, v = (part.reshape(shape[0], heads, shape[1] // heads, -1).transpose(2, 3) for part in (query, key, value))
    return functional.scaled_dot_product_attention(q, k, v).transpose(2, 3).reshape(shape)


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of [n, C, H, W]."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class TransformerBlock(nn.Module):
    """Pre-norm self-attention and a two-layer perceptron, each with an identity skip; linear layers are 1x1 convolutions."""

    def __init__(self, width: int, heads: int, expansion: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = ChannelNorm(width), ChannelNorm(width)
        self.query, self.key, self.value, self.project = (nn.Conv2d(width, width, 1) for _ in range(4))
        self.expand, self.contract = nn.Conv2d(width, expansion * width, 1), nn.Conv2d(expansion * width, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = self.norm1(x)
        x = x + self.project(attend(self.query(seen), self.key(seen), self.value(seen), self.heads))
        return x + self.contract(functional.gelu(self.expand(self.norm2(x))))


@component("model", name="vit")
class VisionTransformer(nn.Module):
    """Patches as a map of tokens [n, C, H / patch, W / patch], transformer blocks, the mean over tokens, one linear layer.

    A map instead of a sequence of tokens makes every linear layer a 1x1 convolution, which masks, graphs and metrics know.

    Args:
        patch: side of a patch; divides the image's sides.
        width: channels, a multiple of `heads`.
        depth: blocks.
        heads: of the attention.
        expansion: of the perceptron's hidden layer.

    Raises:
        UserError: options that do not go together.
    """

    def __init__(
        self,
        num_classes: int,
        input_shape: tuple[int, int, int],
        patch: Count = 4,
        width: Annotated[int, Field(ge=1, le=16_384)] = 192,
        depth: Annotated[int, Field(ge=1, le=1000)] = 6,
        heads: Count = 3,
        expansion: Annotated[int, Field(ge=1, le=64)] = 2,
    ) -> None:
        super().__init__()
        channels, high, wide = input_shape
        if high % patch or wide % patch or width % heads:
            raise UserError(
                f"vit needs sides that patch divides and a width that heads divides, got {high}x{wide} by {patch} and {width} by {heads}."
            )
        self.embed = nn.Conv2d(channels, width, patch, stride=patch)
        self.position = nn.Parameter(torch.zeros(1, width, high // patch, wide // patch))
        self.blocks = nn.Sequential(*[TransformerBlock(width, heads, expansion) for _ in range(depth)])
        self.norm = ChannelNorm(width)
        self.fc = nn.Linear(width, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.norm(self.blocks(self.embed(x) + self.position))
        return self.fc(out.mean(dim=(2, 3)))
