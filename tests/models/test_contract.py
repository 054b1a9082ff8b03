"""Every model in conf/model: it can be built from its file, runs on its input, and is as large as it should be."""

import sys
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from pruneexp.components.component import configured
from pruneexp.components.options import options_of
from pruneexp.errors import UserError
from pruneexp.models.timm_model import timm_model
from pruneexp.models.torchvision_model import torchvision_model
from pruneexp.network.initialise import initialise
from pruneexp.network.prunable import prunable
from pruneexp.network.wiring import wiring_of
from pruneexp.seeding import stream
from pruneexp.system.shipped import conf_dir
from tests.presets import completed

NAMES = sorted(path.stem for path in (conf_dir() / "model").glob("*.yaml"))
every_model = pytest.mark.parametrize("name", NAMES)
# three linear layers and no BatchNorm
BASES = [name for name in NAMES if name.endswith(("_base", "_2448")) or name == "alexnet"]
TRANSFORMERS = ["vit_small"]
# three channels only, and a bias in each layer of the VGG and none but the last's elsewhere
TORCHVISION = [name for name in NAMES if name.startswith("torchvision")]
PRODUCTS = ["torchvision_efficientnet_b0"]  # squeeze and excitation, which has biases
LARGE = ["torchvision_vgg16", "torchvision_resnet50"]  # too slow for a CPU
BIASED = [*BASES, *TRANSFORMERS, "torchvision_vgg16"]


def build(name: str, num_classes: int, side: int, channels: int = 3, device: str = "meta") -> nn.Module:
    """The model of a file; on a CPU with 64 neurons for thousands."""
    said: Any = OmegaConf.to_container(OmegaConf.load(conf_dir() / "model" / f"{name}.yaml"))
    chosen = configured("model", completed("model", name, said))
    if device == "cpu" and "hidden" in options_of(chosen.target, "model"):
        chosen.options["hidden"] = 64
    with torch.device(device):
        model: nn.Module = chosen.make(num_classes=num_classes, input_shape=(channels, side, side))
    return model


def weights(model: nn.Module) -> int:
    return sum(weight.numel() for weight in prunable(model).values())


@every_model
def test_is_built_from_its_file_and_gives_one_number_for_each_class(name: str) -> None:
    side = 64 if name in ("resnet18", "resnet34") else 32
    device = "meta" if name in LARGE else "cpu"
    model = build(name, num_classes=7, side=side, device=device)
    logits = model(torch.randn(2, 3, side, side, device=device))
    assert logits.shape == (2, 7)
    assert name in LARGE or torch.isfinite(logits).all()
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@every_model
@pytest.mark.parametrize(("channels", "side"), [(1, 32), (3, 64), (3, 96)])
def test_takes_other_channels_and_sizes(name: str, channels: int, side: int) -> None:
    channels = 3 if name in TORCHVISION else channels  # whose pretrained weights read three
    model = build(name, num_classes=5, side=side, channels=channels)
    assert model(torch.empty(2, channels, side, side, device="meta")).shape == (2, 5)


@every_model
def test_prunable_weights_are_those_of_linear_and_convolution_layers_only(name: str) -> None:
    model = build(name, num_classes=10, side=32)
    other = sum(p.numel() for key, p in model.named_parameters() if key not in prunable(model))
    norms = sum(
        2 * module.num_features for module in model.modules() if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))
    )
    if name in TRANSFORMERS:
        norms += sum(2 * module.normalized_shape[0] for module in model.modules() if isinstance(module, nn.LayerNorm))
        norms += model.get_parameter("position").numel()
    names = [key for key in prunable(model) if name in BIASED or key == list(prunable(model))[-1]]
    if name in PRODUCTS:
        names += [key for key in prunable(model) if key.split(".")[-2] in ("fc1", "fc2")]
    biased = [prunable(model)[key] for key in names]
    assert other == norms + sum(len(weight) for weight in biased)  # elsewhere only the last layer has a bias
    assert all(weight.ndim in (2, 4) for weight in prunable(model).values())


@pytest.mark.parametrize("name", [name for name in NAMES if name not in LARGE])
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
        # 14,710,464 in the convolutions
        ("vgg16_base", 10, 32, 14_710_464 + 25_088 * 4096 + 4096 * 4096 + 40_960),
        ("vgg16_2448", 10, 32, 14_710_464 + 25_088 * 2448 + 2448 * 2448 + 24_480),
        # 96 * 3 * 25 and 9 (96 * 256 + 256 * 384 + 384 * 384 + 384 * 256)
        ("alexnet", 10, 32, 7_200 + 3_317_760 + 25_088 * 4096 + 4096 * 4096 + 40_960),
        ("alexnet_2448", 100, 32, 7_200 + 3_317_760 + 25_088 * 2448 + 2448 * 2448 + 244_800),
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
        *[(f"vgg{depth}_{kind}", depth) for depth in (13, 16, 19) for kind in ("base", "2448")],
        *[("alexnet", 8), ("alexnet_2448", 8)],
    ],
)
def test_depth_counts_the_layers_with_weights(name: str, layers: int) -> None:
    found = [key for key in prunable(build(name, 10, 32)) if "shortcut" not in key]
    assert len(found) == layers


def test_layers_10_of_vgg11_is_its_seventh_convolution() -> None:
    convolutions = [key for key, weight in prunable(build("vgg11", 10, 32)).items() if weight.ndim == 4]
    assert convolutions[6] == "layers.10.conv.weight"


@pytest.mark.parametrize(
    ("name", "classes", "count"),
    [
        # torchvision's vgg13, vgg16 and vgg19 less 990 of 1000 classes
        ("vgg13_base", 10, 133_047_848 - 990 * 4097),
        ("vgg16_base", 10, 134_301_514),
        ("vgg16_base", 1000, 138_357_544),
        ("vgg19_base", 10, 143_667_240 - 990 * 4097),
    ],
)
def test_the_vggs_with_4096_neurons_have_the_parameters_of_simonyan_and_zisserman(
    name: str, classes: int, count: int
) -> None:
    assert sum(parameter.numel() for parameter in build(name, classes, 32).parameters()) == count


@pytest.mark.parametrize(
    ("name", "count"),
    [
        # as torchvision documents them for ImageNet's thousand classes
        ("torchvision_vgg16", 138_357_544),
        ("torchvision_resnet18", 11_689_512),
        ("torchvision_resnet50", 25_557_032),
        ("torchvision_efficientnet_b0", 5_288_548),
    ],
)
def test_torchvisions_networks_have_the_parameters_that_it_documents(name: str, count: int) -> None:
    assert sum(parameter.numel() for parameter in build(name, 1000, 224).parameters()) == count


@pytest.mark.parametrize("name", [name for name in TORCHVISION if name != "torchvision"])
@pytest.mark.parametrize(("channels", "side"), [(1, 32), (4, 64), (3, 31)])
def test_torchvisions_networks_refuse_images_that_they_were_not_made_for(name: str, channels: int, side: int) -> None:
    with pytest.raises(UserError) as caught:
        torchvision_model(10, (channels, side, side), name.removeprefix("torchvision_"))
    assert str(caught.value) == (
        f"{name.removeprefix('torchvision_')} takes images of 3 channels and at least 32x32 pixels, got {[channels, side, side]}."
    )


def test_an_architecture_that_is_not_offered_is_refused_with_those_that_are_like_it() -> None:
    with pytest.raises(
        UserError, match=r"torchvision has no architecture 'resnet19' .* the nearest are resnet\d+, resnet\d+"
    ):
        torchvision_model(10, (3, 32, 32), "resnet19")
    with pytest.raises(UserError, match=r"timm has no architecture 'resnet50.a1_in1k' .* the nearest are resnet50, "):
        timm_model(10, (3, 32, 32), "resnet50.a1_in1k")
    with pytest.raises(
        UserError, match=r"torchvision has no architecture 'fasterrcnn_resnet50_fpn' for classification"
    ):
        torchvision_model(10, (3, 32, 32), "fasterrcnn_resnet50_fpn")
    with pytest.raises(UserError, match="none is like it"):
        timm_model(10, (3, 32, 32), "XXXX")


@pytest.mark.parametrize(
    ("function", "architecture", "shape"),
    [
        (torchvision_model, "vit_b_16", (3, 48, 48)),
        (torchvision_model, "inception_v3", (3, 96, 96)),
        (torchvision_model, "googlenet", (3, 32, 32)),
        (torchvision_model, "maxvit_t", (3, 224, 224)),
        (timm_model, "vit_tiny_patch16_224", (1, 48, 32)),
        (timm_model, "swin_tiny_patch4_window7_224", (3, 64, 64)),
        (timm_model, "convnextv2_atto", (4, 40, 32)),
    ],
)
def test_an_architecture_is_made_for_the_images(function: Any, architecture: str, shape: tuple[int, int, int]) -> None:
    with torch.device("meta"):
        model = function(5, shape, architecture)
    for train in (False, True):
        assert model.train(train)(torch.empty(2, *shape, device="meta")).shape == (2, 5)


def test_images_that_an_architecture_is_not_made_for() -> None:
    with torch.device("meta"):
        for architecture, shape in (("maxvit_t", (3, 64, 64)), ("vit_h_14", (3, 64, 64))):
            with pytest.raises(UserError, match=f"torchvision's {architecture} cannot be made for images"):
                torchvision_model(5, shape, architecture)
        with pytest.raises(UserError, match="vit_b_16 takes square images"):
            torchvision_model(5, (3, 64, 48), "vit_b_16")


def test_without_timm_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(
        UserError, match=r"^model=timm needs timm, which is not installed: pip install 'pruneexp\[timm\]'\.$"
    ):
        timm_model(5, (3, 32, 32), "resnet18")


@pytest.mark.parametrize("name", BASES)
@pytest.mark.parametrize("side", [32, 64, 224])
def test_the_first_linear_layer_of_vgg_base_and_alexnet_has_25088_inputs_at_any_size(name: str, side: int) -> None:
    model = build(name, 10, side)
    hidden = 2448 if name.endswith("_2448") else 4096
    assert [tuple(weight.shape) for weight in prunable(model).values() if weight.ndim == 2] == [
        (hidden, 25_088),
        (hidden, hidden),
        (10, hidden),
    ]
    features = model.get_submodule("features")(torch.empty(2, 3, side, side, device="meta"))
    assert features.flatten(1).shape == (2, 25_088)


@every_model
def test_its_layers_join_as_one_network(name: str) -> None:
    model = build(name, 10, 32, device="cpu" if name in ("vgg16_base", "alexnet") else "meta")
    wiring, weights = wiring_of(model), prunable(model)
    assert list(wiring.targets) == list(weights)
    first, *_, last = weights
    assert len(wiring.targets[last]) == 10
    assert wiring.sources[first].unique().numel() == 3
    linked = torch.cat([torch.cat([wiring.sources[key].ravel(), wiring.targets[key]]) for key in weights])
    assert linked.unique().numel() == wiring.vertices
    # what a layer reads is what layers before it put out, or the image
    made = set(wiring.sources[first].ravel().tolist())
    for key in weights:
        assert set(wiring.sources[key].ravel().tolist()) <= made
        made |= set(wiring.targets[key].tolist())


@pytest.mark.parametrize(("name", "positions"), [("vgg16_base", 49), ("vgg13_2448", 49), ("alexnet_2448", 98)])
def test_every_channel_before_the_linear_layers_is_that_many_inputs(name: str, positions: int) -> None:
    wiring = wiring_of(build(name, 10, 32))
    before = [key for key in wiring.targets if key.startswith("features")][-1]
    want = wiring.targets[before].repeat_interleave(positions)
    assert torch.equal(wiring.sources["classifier.0.weight"].ravel(), want)
    assert len(want) == 25_088


def test_there_are_models_to_walk_over() -> None:
    assert {
        "vgg_small",
        "vgg16",
        "resnet20",
        "resnet18",
        *(f"torchvision_{name}" for name in ("vgg16", "resnet50")),
    } <= set(NAMES)
    assert set(BASES) == {"alexnet", "alexnet_2448"} | {
        f"vgg{n}_{kind}" for n in (13, 16, 19) for kind in ("base", "2448")
    }
