"""Stems, shortcuts and refusals of the residual networks."""

from typing import Any

import pytest
import torch
from torch import nn

from pruneexp.errors import UserError
from pruneexp.models.resnet import BasicBlock, resnet_cifar, resnet_imagenet


@pytest.mark.parametrize(("side", "kernel", "stride"), [(32, 3, 1), (64, 3, 1), (65, 7, 2), (96, 7, 2), (224, 7, 2)])
def test_the_stem_is_small_up_to_64_pixels_and_large_above(side: int, kernel: int, stride: int) -> None:
    with torch.device("meta"):
        model = resnet_imagenet(10, (3, side, side), 18)
    assert model.conv.kernel_size == (kernel, kernel)
    assert model.conv.stride == (stride, stride)
    assert isinstance(model.pool, nn.MaxPool2d) == (kernel == 7)


def test_the_large_stem_leaves_7_of_224_pixels_before_the_mean() -> None:
    with torch.device("meta"):
        model = resnet_imagenet(10, (3, 224, 224), 18)
        features = model.blocks(model.pool(model.conv(torch.empty(1, 3, 224, 224))))
    assert features.shape == (1, 512, 7, 7)


def test_a_block_whose_branch_is_silent_passes_its_input_on() -> None:
    block = BasicBlock(4, 4, stride=1).eval()
    nn.init.zeros_(block.conv2.weight)
    x = torch.rand(2, 4, 8, 8)
    assert torch.equal(block(x), x)


def test_shortcuts_are_convolutions_exactly_where_the_shape_changes() -> None:
    with torch.device("meta"):
        model = resnet_cifar(10, (3, 32, 32), 32)
    kinds = [isinstance(block.shortcut, nn.Sequential) for block in model.blocks if isinstance(block, BasicBlock)]
    assert kinds == [block in (5, 10) for block in range(15)]


@pytest.mark.parametrize("depth", [18, 19, 21, 110])
def test_an_unknown_cifar_depth_is_refused(depth: Any) -> None:
    with pytest.raises(UserError, match=f"20, 32, 44 or 56, got {depth}"):
        resnet_cifar(10, (3, 32, 32), depth)


@pytest.mark.parametrize("depth", [20, 50])
def test_an_unknown_imagenet_depth_is_refused(depth: Any) -> None:
    with pytest.raises(UserError, match=f"18 or 34, got {depth}"):
        resnet_imagenet(10, (3, 64, 64), depth)
