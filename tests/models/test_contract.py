"""Every model in conf/model: it can be built from its file, runs on its input, and is as large as it should be."""

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn

from pruneexp.config import conf_dir
from pruneexp.layers import prunable
from pruneexp.models.initialise import initialise
from pruneexp.seeding import stream

NAMES = sorted(path.stem for path in (conf_dir() / "model").glob("*.yaml"))
every_model = pytest.mark.parametrize("name", NAMES)


def build(name: str, num_classes: int, side: int, channels: int = 3, device: str = "meta") -> nn.Module:
    config = dict(OmegaConf.load(conf_dir() / "model" / f"{name}.yaml"))
    del config["name"]
    with torch.device(device):
        model: nn.Module = instantiate(config, num_classes=num_classes, input_shape=(channels, side, side))
    return model


def weights(model: nn.Module) -> int:
    return sum(weight.numel() for weight in prunable(model).values())


@every_model
def test_is_built_from_its_file_and_gives_one_number_for_each_class(name: str) -> None:
    side = 64 if name in ("resnet18", "resnet34") else 32
    model = build(name, num_classes=7, side=side, device="cpu")
    images = torch.randn(2, 3, side, side)
    logits = model(images)
    assert logits.shape == (2, 7)
    assert torch.isfinite(logits).all()
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@every_model
@pytest.mark.parametrize(("channels", "side"), [(1, 32), (3, 64), (3, 96)])
def test_takes_other_channels_and_sizes(name: str, channels: int, side: int) -> None:
    model = build(name, num_classes=5, side=side, channels=channels)
    assert model(torch.empty(2, channels, side, side, device="meta")).shape == (2, 5)


@every_model
def test_prunable_weights_are_those_of_linear_and_convolution_layers_only(name: str) -> None:
    model = build(name, num_classes=10, side=32)
    other = sum(p.numel() for key, p in model.named_parameters() if key not in prunable(model))
    norms = sum(2 * module.num_features for module in model.modules() if isinstance(module, nn.BatchNorm2d))
    assert other == norms + 10  # the last layer's bias; no convolution has one
    assert all(weight.ndim in (2, 4) for weight in prunable(model).values())


@every_model
def test_two_initialisations_from_one_seed_agree(name: str) -> None:
    first, second = build(name, 10, 32, device="cpu"), build(name, 10, 32, device="cpu")
    initialise(first, "kaiming_normal", stream(0, "initialisation"))
    initialise(second, "kaiming_normal", stream(0, "initialisation"))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize(
    ("name", "classes", "side", "count"),
    [
        # counted by hand from the papers' tables of layers
        ("vgg16", 100, 32, 14_761_664),
        ("vgg16", 10, 32, 14_715_584),
        ("vgg11", 10, 32, 9_222_848),
        ("resnet20", 10, 32, 270_896),
        # torchvision's 11,689,512 and 21,797,672 parameters less their BatchNorm parameters and the last bias
        ("resnet18", 1000, 224, 11_689_512 - 9_600 - 1_000),
        ("resnet34", 1000, 224, 21_797_672 - 17_024 - 1_000),
        ("resnet18", 200, 64, 11_261_632),
    ],
)
def test_number_of_prunable_weights(name: str, classes: int, side: int, count: int) -> None:
    assert weights(build(name, classes, side)) == count


def test_resnet20_owes_2560_weights_to_its_two_shortcut_convolutions() -> None:
    shortcuts = [weight.shape for name, weight in prunable(build("resnet20", 10, 32)).items() if "shortcut" in name]
    assert shortcuts == [(32, 16, 1, 1), (64, 32, 1, 1)]


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        *[("vgg11", 9), ("vgg13", 11), ("vgg16", 14), ("vgg19", 17), ("resnet18", 18), ("resnet34", 34)],
        *[(f"resnet{depth}", depth) for depth in (20, 32, 44, 56)],
    ],
)
def test_depth_counts_the_layers_with_weights(name: str, layers: int) -> None:
    found = [key for key in prunable(build(name, 10, 32)) if "shortcut" not in key]
    assert len(found) == layers


def test_layers_10_of_vgg11_is_its_seventh_convolution() -> None:
    convolutions = [key for key, weight in prunable(build("vgg11", 10, 32)).items() if weight.ndim == 4]
    assert convolutions[6] == "layers.10.conv.weight"


def test_there_are_models_to_walk_over() -> None:
    assert {"vgg_small", "vgg16", "resnet20", "resnet18"} <= set(NAMES)
