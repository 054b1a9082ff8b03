"""Several tensors to the training device at once."""

from collections.abc import Sequence

import torch


def upload(tensors: Sequence[torch.Tensor], device: torch.device) -> list[torch.Tensor]:
    """The tensors on the device, in one copy for which the host does not wait; on a CPU they themselves.

    Args:
        tensors: on the CPU, of any shapes and types; those of larger elements first, as each begins where the one before it ends.
        device: theirs are parts of one piece of its memory.
    """
    if device.type == "cpu":
        return list(tensors)
    packed = torch.cat([tensor.flatten().view(torch.uint8) for tensor in tensors])
    there = packed.pin_memory().to(device, non_blocking=True)  # only from pinned memory does a copy run by itself
    parts = there.split([tensor.nbytes for tensor in tensors])
    return [part.view(tensor.dtype).view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]
