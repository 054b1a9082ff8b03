"""Networks as torchvision defines them, whose ImageNet weights it offers."""

from typing import Literal

from torch import nn

from pruneexp.components.options import component
from pruneexp.errors import UserError

Architecture = Literal["vgg16", "efficientnet_b0", "resnet18", "resnet50"]


@component("model", name="torchvision")
def torchvision_model(num_classes: int, input_shape: tuple[int, int, int], architecture: Architecture) -> nn.Module:
    """`torchvision.models.<architecture>` with a classifier for `num_classes`; no weights are loaded (see `load_weights`).

    VGG-16 without BatchNorm (Simonyan & Zisserman 2015), EfficientNet-B0 (Tan & Le 2019), ResNet-18 and -50 (He et al. 2016),
    made for 224x224 images; any size from 32x32 on works.

    Args:
        num_classes: outputs of the last linear layer.
        input_shape: [C, H, W] of the images.

    Raises:
        UserError: not three channels, or images smaller than 32x32.
    """
    if input_shape[0] != 3 or min(input_shape[1:]) < 32:
        raise UserError(
            f"{architecture} takes images of 3 channels and at least 32x32 pixels, got {list(input_shape)}."
        )
    from torchvision import models

    network: nn.Module = models.get_model(architecture, weights=None, num_classes=num_classes)
    return network
