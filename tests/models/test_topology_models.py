"""Conv-6 and WRN-28-2 (and the ResNets beside them): sizes, shapes of the layers, and refusals."""

from collections.abc import Sequence

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from pruneexp.components.component import configured
from pruneexp.errors import UserError
from pruneexp.models.conv6 import Conv6
from pruneexp.models.wide_resnet import PreActivationBlock, WideResNet
from pruneexp.network.cost import multiply_accumulates
from pruneexp.network.initialise import initialise
from pruneexp.network.prunable import prunable
from pruneexp.network.wiring import wiring_of
from pruneexp.seeding import stream
from pruneexp.system.shipped import conf_dir


def build(name: str, classes: int = 10, side: int = 32) -> nn.Module:
    chosen = configured("model", OmegaConf.to_container(OmegaConf.load(conf_dir() / "model" / f"{name}.yaml")))
    with torch.device("meta"):
        model: nn.Module = chosen.make(num_classes=classes, input_shape=(3, side, side))
    return model


def shapes(model: nn.Module) -> list[Sequence[int]]:
    return [tuple(weight.shape) for weight in prunable(model).values()]


def count(model: nn.Module) -> int:
    return sum(weight.numel() for weight in prunable(model).values())


@pytest.mark.parametrize(
    ("name", "exact", "paper", "close"),
    [
        ("conv6", 2_261_184, 2.3e6, 0.05),
        ("resnet20", 270_896, 270e3, 0.01),
        ("resnet32", 464_432, 460e3, 0.01),
        ("wrn28_2", 1_463_984, 1.4e6, 0.05),
    ],
)
def test_number_of_weights_is_about_the_papers(name: str, exact: int, paper: float, close: float) -> None:
    found = count(build(name))
    assert found == exact
    assert found == pytest.approx(paper, rel=close)


def test_the_layers_of_conv6() -> None:
    assert shapes(build("conv6")) == [
        (64, 3, 3, 3),
        (64, 64, 3, 3),
        (128, 64, 3, 3),
        (128, 128, 3, 3),
        (256, 128, 3, 3),
        (256, 256, 3, 3),
        (256, 4096),
        (256, 256),
        (10, 256),
    ]
    assert shapes(build("conv6", classes=200, side=64))[-3:] == [(256, 16_384), (256, 256), (200, 256)]


def test_every_layer_of_conv6_but_the_last_has_batchnorm_and_relu_and_no_bias() -> None:
    model = build("conv6")
    assert isinstance(model, Conv6)
    layers = list(model.layers)
    weighted = [k for k, layer in enumerate(layers) if isinstance(layer, (nn.Conv2d, nn.Linear))]
    assert len(weighted) == 8
    for k in weighted:
        assert layers[k].bias is None
        assert isinstance(layers[k + 1], nn.BatchNorm2d if isinstance(layers[k], nn.Conv2d) else nn.BatchNorm1d)
        assert isinstance(layers[k + 2], nn.ReLU)
    kinds = [type(layer).__name__ for layer in layers if isinstance(layer, (nn.Conv2d, nn.MaxPool2d, nn.Linear))]
    assert kinds == [*["Conv2d", "Conv2d", "MaxPool2d"] * 3, "Linear", "Linear"]
    assert model.fc.bias is not None


def test_multiplications_of_conv6_by_hand() -> None:
    model = Conv6(10, (3, 32, 32))
    assert list(multiply_accumulates(model, (3, 32, 32)).values()) == [
        27 * 64 * 1024,
        576 * 64 * 1024,
        576 * 128 * 256,
        1152 * 128 * 256,
        1152 * 256 * 64,
        2304 * 256 * 64,
        4096 * 256,
        256 * 256,
        2560,
    ]


@pytest.mark.parametrize("size", [(8, 8), (9, 15), (31, 33), (8, 40)])
def test_conv6_runs_on_images_from_8x8_of_any_sides(size: tuple[int, int]) -> None:
    with torch.device("meta"):
        assert Conv6(4, (1, *size))(torch.empty(2, 1, *size)).shape == (2, 4)


@pytest.mark.parametrize("size", [(7, 7), (7, 32), (32, 7), (1, 1)])
def test_conv6_refuses_images_that_pooling_would_use_up(size: tuple[int, int]) -> None:
    with pytest.raises(UserError, match=rf"^conv6 needs images of at least 8x8, got {size[0]}x{size[1]}\.$"):
        Conv6(10, (3, *size))


def test_the_layers_of_wrn28_2() -> None:
    want: list[Sequence[int]] = [(16, 3, 3, 3)]
    channels = 16
    for width in (32, 64, 128):
        for _ in range(4):
            want += [(width, channels, 3, 3), (width, width, 3, 3)]
            if channels != width:
                want.append((width, channels, 1, 1))
            channels = width
    assert shapes(build("wrn28_2")) == [*want, (10, 128)]


def test_wrn28_2_has_28_layers_and_the_original_1_48_million_parameters() -> None:
    model = build("wrn28_2")
    main = [name for name in prunable(model) if "shortcut" not in name]
    # 25 convolutions and the linear layer; the depth of the name counts the three shortcuts and not the linear layer
    assert len(main) == 26
    assert len(prunable(model)) == 29
    everything = sum(parameter.numel() for parameter in model.parameters())
    norms = sum(2 * module.num_features for module in model.modules() if isinstance(module, nn.BatchNorm2d))
    assert everything == 1_463_984 + norms + 10 == 1_467_610
    strides = [module.conv1.stride[0] for module in model.modules() if isinstance(module, PreActivationBlock)]
    assert strides == [1] * 4 + [2, 1, 1, 1] * 2


@pytest.mark.parametrize("depth", [4, 8, 9, 11, 20, 26, 27, 29, 0, -2, 1006])
def test_a_depth_that_is_not_6n_plus_4_is_refused(depth: int) -> None:
    with pytest.raises(
        UserError,
        match=rf"^WideResNet's depth must be 10, 16, 22, 28 \.\.\. \(6 n \+ 4\), at most 1000, got {depth}\.$",
    ):
        WideResNet(10, (3, 32, 32), depth=depth, widen=2)


@pytest.mark.parametrize("depth", [10, 16, 22, 28, 40])
def test_other_depths_and_widths_are_built(depth: int) -> None:
    with torch.device("meta"):
        model = WideResNet(7, (1, 16, 16), depth=depth, widen=1)
        assert model(torch.empty(2, 1, 16, 16)).shape == (2, 7)
    assert len([name for name in prunable(model) if "shortcut" not in name]) == depth - 2
    assert shapes(model)[-1] == (7, 64)


@pytest.mark.parametrize("widen", [0, -1, 1.5])
def test_a_width_that_is_no_factor_is_refused(widen: int) -> None:
    with pytest.raises(UserError, match="widen"):
        WideResNet(10, (3, 32, 32), depth=10, widen=widen)


def test_a_block_is_batchnorm_relu_convolution_twice_beside_its_input() -> None:
    block = PreActivationBlock(4, 4, stride=1).eval()
    x = torch.randn(2, 4, 8, 8)
    with torch.no_grad():
        want = x + block.conv2(torch.relu(block.bn2(block.conv1(torch.relu(block.bn1(x))))))
        torch.testing.assert_close(block(x), want)
        nn.init.zeros_(block.conv2.weight)
        assert torch.equal(block(x), x)  # negative values too: nothing follows the sum


def test_a_shortcut_takes_the_activated_input() -> None:
    block = PreActivationBlock(3, 6, stride=2).eval()
    x = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        nn.init.zeros_(block.conv2.weight)
        nn.init.constant_(block.bn1.bias, 0.3)
        torch.testing.assert_close(block(x), block.shortcut(torch.relu(block.bn1(x))))
    assert block(x).shape == (2, 6, 4, 4)


@pytest.mark.parametrize("name", ["conv6", "wrn28_2"])
def test_the_graph_of_channels_has_every_channel_once(name: str) -> None:
    wiring = wiring_of(build(name))
    if name == "conv6":
        assert wiring.vertices == 3 + 2 * (64 + 128 + 256) + 512 + 10
        assert wiring.skips == []
    else:
        # the identity skips of nine blocks; where a shortcut joins, its channels are the second convolution's
        assert len(wiring.skips) == 9
        assert wiring.vertices == 3 + 16 + 8 * (32 + 64 + 128) + 10


@pytest.mark.parametrize("name", ["conv6", "wrn28_2"])
def test_initial_outputs_are_of_the_order_of_one(name: str) -> None:
    model: nn.Module = Conv6(10, (3, 16, 16)) if name == "conv6" else WideResNet(10, (3, 16, 16), depth=28, widen=2)
    initialise(model, "kaiming_normal", stream(0, "initialisation"))
    with torch.no_grad():
        logits = model(torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(0)))
    assert 0.1 < float(logits.std()) < 10
