"""The VGGs' plans and refusals."""

import pytest
import torch
from torch import nn

from pruneexp.errors import UserError
from pruneexp.models.vgg import vgg, vgg_small


@pytest.mark.parametrize("depth", [11, 13, 16, 19])
def test_four_poolings_leave_2_of_32_pixels_and_512_channels(depth: int) -> None:
    with torch.device("meta"):
        model = vgg(10, (3, 32, 32), depth)
        features = model.layers(torch.empty(1, 3, 32, 32))
    assert features.shape == (1, 512, 2, 2)


def test_every_convolution_is_followed_by_batch_normalisation_and_has_no_bias() -> None:
    with torch.device("meta"):
        model = vgg(10, (3, 32, 32), 16)
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    assert [module.out_channels for module in convolutions] == [module.num_features for module in norms]
    assert all(module.bias is None and module.kernel_size == (3, 3) for module in convolutions)
    assert sum(isinstance(module, nn.Linear) for module in model.modules()) == 1


def test_the_small_one_is_small() -> None:
    model = vgg_small(10, (3, 32, 32))
    assert sum(parameter.numel() for parameter in model.parameters()) < 100_000


@pytest.mark.parametrize("depth", [10, 12, 0])
def test_an_unknown_depth_is_refused_with_those_that_exist(depth: int) -> None:
    with pytest.raises(UserError, match=f"11, 13, 16, 19, got {depth}"):
        vgg(10, (3, 32, 32), depth)
