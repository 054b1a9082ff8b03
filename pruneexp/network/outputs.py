"""What networks return: the logits among it."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import torch

from pruneexp.errors import UserError


def logits(output: Any) -> torch.Tensor:
    """The logits of what a network returned: the tensor itself; of a mapping, a dataclass, or an object the entry ``logits``, else the only
    tensor, else the first; of a list or tuple the first.

    So with the outputs of transformers (``.logits``), of torchvision's segmentation networks (``out``, before ``aux``) and of its networks
    with auxiliary classifiers.

    Raises:
        UserError: there is no tensor among it.
    """
    if isinstance(output, torch.Tensor):
        return output
    if isinstance(found := _entry(output, "logits"), torch.Tensor):
        return found
    parts: list[Any] = []
    if isinstance(output, Mapping):
        parts = list(output.values())
    elif is_dataclass(output):
        parts = [getattr(output, field.name) for field in fields(output)]
    elif isinstance(output, Sequence) and not isinstance(output, str):
        parts = list(output)
    tensors = [part for part in parts if isinstance(part, torch.Tensor) and part.is_floating_point()]
    if not tensors:
        raise UserError(
            f"the network returns {type(output).__name__}, with no tensor that could be the logits: return a tensor, or a dict with logits."
        )
    return tensors[0]


def _entry(output: Any, name: str) -> Any:
    return output.get(name) if isinstance(output, Mapping) else getattr(output, name, None)
