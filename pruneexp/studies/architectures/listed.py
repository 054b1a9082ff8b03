"""Which architectures the study asks about: of each family of torchvision and timm that people prune, its smallest member."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

CLASSES, IMAGES = 10, 4


@dataclass(frozen=True)
class Architecture:
    """A network by name, with random weights and ten classes.

    Attributes:
        name: as its library has it.
        maker: the function that makes it from its name, num_classes and the options.
        pixels: side of the square images.
        options: further ones.
    """

    name: str
    maker: str
    pixels: int = 32
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def library(self) -> str:
        """The package that has it."""
        return self.maker.partition(".")[0]

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """[C, H, W]."""
        return 3, self.pixels, self.pixels

    def network(self) -> nn.Module:
        """The same at every call, in training mode."""
        module, _, function = self.maker.rpartition(".")
        torch.manual_seed(0)
        made: nn.Module = getattr(importlib.import_module(module), function)(
            self.name, num_classes=CLASSES, **self.options
        )
        return made

    def images(self) -> torch.Tensor:
        """[4, C, H, W] of standard normal noise, the same at every call."""
        return torch.randn(IMAGES, *self.input_shape, generator=torch.Generator().manual_seed(0))


def torchvision(name: str, pixels: int = 32, **options: Any) -> Architecture:
    """One of torchvision's."""
    return Architecture(name, "torchvision.models.get_model", pixels, options)


def timm(name: str, pixels: int = 32, **options: Any) -> Architecture:
    """One of timm's."""
    return Architecture(name, "timm.create_model", pixels, options)


# 32 pixels where the network runs on them, else 64, else the least it runs on; transformers with position embeddings are made for 64
LISTED = (
    torchvision("resnet18"),
    torchvision("resnet50"),
    torchvision("resnext50_32x4d"),
    torchvision("vgg11_bn"),
    torchvision("alexnet", 64),
    torchvision("squeezenet1_1"),
    torchvision("densenet121"),
    torchvision("mobilenet_v2"),
    torchvision("mobilenet_v3_small"),
    torchvision("efficientnet_b0"),
    torchvision("mnasnet0_5"),
    torchvision("shufflenet_v2_x0_5"),
    torchvision("googlenet", init_weights=False),
    torchvision("inception_v3", 75, init_weights=False, aux_logits=False),  # its second classifier needs more pixels
    torchvision("regnet_y_400mf"),
    torchvision("convnext_tiny"),
    torchvision("vit_b_16", image_size=32),
    torchvision("swin_t"),
    torchvision("maxvit_t", 224),
    timm("resnet26d"),
    timm("res2net50_26w_4s"),
    timm("cspresnet50"),
    timm("dla46_c"),
    timm("dpn68"),
    timm("hrnet_w18_small"),
    timm("ese_vovnet19b_dw"),
    timm("repvgg_a0"),
    timm("ghostnet_050"),
    timm("mobilenetv4_conv_small"),
    timm("nf_resnet50"),
    timm("convnextv2_atto"),
    timm("edgenext_xx_small"),
    timm("mobilevit_xxs"),
    timm("vit_tiny_patch16_224", 64, img_size=64),
    timm("deit_tiny_distilled_patch16_224", 64, img_size=64),
    timm("cait_xxs24_224", 64, img_size=64),
    timm("pit_ti_224", 64, img_size=64),
    timm("xcit_nano_12_p16_224", 64, img_size=64),
    timm("levit_128s", 224),
    timm("mixer_s32_224", 64, img_size=64),
    timm("resmlp_12_224", 64, img_size=64),
    timm("gmlp_s16_224", 64, img_size=64),
    timm("poolformer_s12"),
)
