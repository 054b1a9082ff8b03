"""Networks as timm defines them."""

from typing import Annotated, Any

from torch import nn

from pruneexp.components.options import component
from pruneexp.components.values import Label, Words
from pruneexp.errors import UserError
from pruneexp.models.library import from_library

Architecture = Annotated[Label, Words("the name of one of timm's architectures, such as resnet26d")]


@component("model", name="timm")
def timm_model(num_classes: int, input_shape: tuple[int, int, int], architecture: Architecture) -> nn.Module:
    """`timm.create_model(architecture)` (Wightman 2019) with a classifier for `num_classes`, for images of these channels; not pretrained.

    What timm says takes one size of images alone, most transformers, is made for this one; of others docs/zoo.md says which size they
    take. timm's trained weights are taken as a file: ``torch.save(timm.create_model(NAME, pretrained=True).state_dict(), PATH)`` and
    ``weights=PATH``.

    Args:
        num_classes: outputs of the last linear layer.
        input_shape: [C, H, W] of the images.
        architecture: timm's name of it, without the tag of trained weights.

    Raises:
        UserError: timm is not installed, has none of this name, or cannot make it for such images.
    """
    try:
        import timm
    except ImportError as error:
        raise UserError("model=timm needs timm, which is not installed: pip install 'pruneexp[timm]'.") from error

    def make() -> nn.Module:
        known = timm.models.get_pretrained_cfg(architecture)
        options: dict[str, Any] = {"img_size": input_shape[1:]} if known is not None and known.fixed_input_size else {}
        network: nn.Module = timm.create_model(
            architecture, pretrained=False, num_classes=num_classes, in_chans=input_shape[0], **options
        )
        return network

    return from_library("timm", timm.list_models(), architecture, input_shape, make)
