"""Networks as torchvision defines them, whose ImageNet weights it offers."""

from collections.abc import Mapping
from typing import Annotated, Any

from torch import nn

from pruneexp.components.options import component
from pruneexp.components.values import Label, Words
from pruneexp.errors import UserError
from pruneexp.models.library import from_library

Architecture = Annotated[Label, Words("the name of one of torchvision's architectures, such as mobilenet_v2")]
ALONE = {
    "aux_logits": False,
    "init_weights": False,
}  # nothing trains further classifiers, and `initialise` draws weights


@component("model", name="torchvision")
def torchvision_model(num_classes: int, input_shape: tuple[int, int, int], architecture: Architecture) -> nn.Module:
    """`torchvision.models.<architecture>` with a classifier for `num_classes`; no weights are loaded (see `load_weights`).

    Any architecture for classification, VGG-16 without BatchNorm (``vgg16``, Simonyan & Zisserman 2015), EfficientNet-B0
    (``efficientnet_b0``, Tan & Le 2019), ResNet-18 and -50 (He et al. 2016) among them, made for 224x224 images; those take any size from
    32x32 on, of others docs/zoo.md says which they take. Vision transformers and MaxViT are made for the images' size; GoogLeNet and
    Inception have no auxiliary classifiers.

    Args:
        num_classes: outputs of the last linear layer.
        input_shape: [C, H, W] of the images.
        architecture: torchvision's name of it.

    Raises:
        UserError: torchvision has none of this name, not three channels, images smaller than 32x32, or of a size that it cannot be made
            for.
    """
    if input_shape[0] != 3 or min(input_shape[1:]) < 32:
        raise UserError(
            f"{architecture} takes images of 3 channels and at least 32x32 pixels, got {list(input_shape)}."
        )
    from torchvision import models

    height, width = input_shape[1:]
    family = architecture.partition("_")[0]
    families: Mapping[str, Mapping[str, Any]] = {
        "maxvit": {"input_size": (height, width)},
        "googlenet": ALONE,
        "inception": ALONE,
    }
    own = families.get(family, {})
    if family == "vit":
        if height != width:
            raise UserError(f"{architecture} takes square images, got {list(input_shape)}: set dataset.side=.")
        own = {"image_size": height}

    def make() -> nn.Module:
        network: nn.Module = models.get_model(architecture, weights=None, num_classes=num_classes, **own)
        return network

    return from_library("torchvision", models.list_models(module=models), architecture, input_shape, make)
