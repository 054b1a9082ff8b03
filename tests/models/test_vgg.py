"""The plans and refusals of the VGGs and of AlexNet."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from pruneexp.errors import UserError
from pruneexp.models.alexnet import alexnet
from pruneexp.models.vgg import vgg, vgg_base, vgg_small


@pytest.mark.parametrize("depth", [11, 13, 16, 19])
def test_four_poolings_leave_2_of_32_pixels_and_512_channels(depth: Any) -> None:
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
def test_an_unknown_depth_is_refused_with_those_that_exist(depth: Any) -> None:
    with pytest.raises(UserError, match=f"11, 13, 16 or 19, got {depth}"):
        vgg(10, (3, 32, 32), depth)


@pytest.mark.parametrize("depth", [11, 13, 16, 19])
def test_five_poolings_leave_one_of_32_pixels_to_spread_over_7_by_7(depth: Any) -> None:
    with torch.device("meta"):
        model = vgg_base(10, (3, 32, 32), depth)
        last = model.features[:-1](torch.empty(1, 3, 32, 32))
        features = model.features(torch.empty(1, 3, 32, 32))
    assert last.shape == (1, 512, 1, 1)
    assert features.shape == (1, 512, 7, 7)
    assert sum(isinstance(module, nn.Conv2d) for module in model.modules()) == depth - 3


def test_vgg_base_has_biases_and_neither_dropout_nor_batch_normalisation() -> None:
    with torch.device("meta"):
        models = [vgg_base(10, (3, 32, 32), 16), alexnet(10, (3, 32, 32))]
    for model in models:
        modules = list(model.modules())
        assert not any(isinstance(module, nn.BatchNorm2d) for module in modules)
        layers = [module for module in modules if isinstance(module, (nn.Conv2d, nn.Linear))]
        assert all(layer.bias is not None for layer in layers)
        assert not any(isinstance(module, nn.Dropout) for module in modules)
        kernels = [layer.kernel_size for layer in layers if isinstance(layer, nn.Conv2d)]
        assert set(kernels[1:]) == {(3, 3)}
        hidden = [layer.out_features for layer in layers if isinstance(layer, nn.Linear)]
        assert hidden == [4096, 4096, 10]


@pytest.mark.parametrize("make", [partial(vgg_base, 4, (3, 32, 32), 11, 16), partial(alexnet, 4, (3, 32, 32), 16)])
def test_dropout_follows_each_hidden_linear_layer_and_leaves_names_and_tests_alone(make: Any) -> None:
    dropping, plain = make(dropout=0.4), make()
    order = [nn.Linear, nn.ReLU, nn.Dropout, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]  # torchvision's VGG
    assert [type(module) for module in dropping.classifier] == order
    assert [module.p for module in dropping.classifier if isinstance(module, nn.Dropout)] == [0.4, 0.4]
    plain.load_state_dict(dropping.state_dict())
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(dropping.eval()(images), plain.eval()(images))
        hidden = dropping.train().classifier[:3](torch.ones(400, dropping.classifier[0].in_features))
    share = float((hidden[:, hidden.any(dim=0)] == 0).double().mean())
    assert share == pytest.approx(0.4, abs=0.05)


def test_dropout_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(UserError, match=r"^vgg_base's dropout must be .*, at least 0 and below 1, got 1\.0\.$"):
        vgg_base(10, (3, 32, 32), 11, dropout=1.0)


def test_alexnets_five_convolutions_and_its_7_by_14_positions() -> None:
    with torch.device("meta"):
        model = alexnet(10, (3, 32, 32))
        features = model.features(torch.empty(1, 3, 32, 32))
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [96, 256, 384, 384, 256]
    assert convolutions[0].kernel_size == (5, 5)
    assert all(layer.stride == (1, 1) for layer in convolutions)
    assert features.shape == (1, 256, 7, 14)


@pytest.mark.parametrize("hidden", [1, 64, 2448])
def test_the_neurons_of_the_linear_layers_are_an_option(hidden: int) -> None:
    with torch.device("meta"):
        models = [vgg_base(7, (1, 32, 32), 11, hidden), alexnet(7, (1, 32, 32), hidden)]
    for model in models:
        linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
        assert [(layer.in_features, layer.out_features) for layer in linear] == [
            (25_088, hidden),
            (hidden, hidden),
            (hidden, 7),
        ]
        assert model(torch.empty(2, 1, 32, 32, device="meta")).shape == (2, 7)


@pytest.mark.parametrize("depth", [10, 12, 0])
def test_an_unknown_depth_of_vgg_base_is_refused_with_those_that_exist(depth: Any) -> None:
    with pytest.raises(UserError, match=f"^vgg_base's depth must be 11, 13, 16 or 19, got {depth}\\.$"):
        vgg_base(10, (3, 32, 32), depth)


@pytest.mark.parametrize("size", [(16, 16), (32, 31), (28, 64)])
def test_images_too_small_for_vgg_bases_poolings_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UserError, match=rf"^vgg_base halves the image five times .* got {size[0]}x{size[1]}\.$"):
        vgg_base(10, (3, *size), 11)


def test_the_linear_layers_drop_half_their_inputs_in_training_alone() -> None:
    torch.manual_seed(0)
    model, image = alexnet(4, (3, 32, 32), 16, dropout=0.5), torch.rand(1, 3, 32, 32)
    assert not torch.equal(model(image), model(image))
    model.eval()
    assert torch.equal(model(image), model(image))
