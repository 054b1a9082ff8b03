"""A convolution as one kernel for its output, one for its input's gradient and one for its weight's, as cuDNN makes it.

The pretended GPU has no cuDNN, without which PyTorch computes a convolution image by image, hundreds of kernels each.
"""

from typing import Any

import torch
from torch import nn


class OneKernelEach(torch.autograd.Function):
    """Tensors of the right shape, dtype and memory layout; the numbers are of no convolution."""

    @staticmethod
    def forward(
        context: Any, images: torch.Tensor, weight: torch.Tensor, stride: tuple[int, int], padding: tuple[int, int]
    ) -> torch.Tensor:
        context.save_for_backward(images, weight)
        side = (images.shape[2] + 2 * padding[0] - weight.shape[2]) // stride[0] + 1
        shape = (len(images), len(weight), side, side)
        made = torch.empty(shape, dtype=images.dtype, device=images.device, memory_format=torch.channels_last)
        return made.fill_(1)

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor, None, None]:
        images, weight = context.saved_tensors
        of_images = torch.empty_like(images).fill_(2) if context.needs_input_grad[0] else None
        return of_images, torch.empty_like(weight).fill_(3), None, None


def forward(self: nn.Conv2d, images: torch.Tensor) -> torch.Tensor:
    """In place of `nn.Conv2d.forward`."""
    kind = torch.bfloat16 if torch.is_autocast_enabled("cuda") else torch.float32
    made: torch.Tensor = OneKernelEach.apply(images.to(kind), self.weight.to(kind), self.stride, self.padding)
    return made
