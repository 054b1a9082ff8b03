"""3x3 convolutions of float64 networks on a CPU by Winograd's algorithm, with derivatives of every order.

PyTorch's own writes nine numbers for each pixel in float64, image by image, and multiplies then, which takes twice as long and more.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.autograd.function import FunctionCtx
from torch.overrides import TorchFunctionMode

from pruneexp.scorers.winograd import convolved, weight_derivative


class Winograd(TorchFunctionMode):
    """While it is entered, what networks convolve in float64 on a CPU with 3x3 weights and stride 1 is convolved by Winograd's algorithm.

    All other convolutions are PyTorch's. The results differ by rounding, and a sum of zeros can come out as 1e-17 where the
    numbers around it are none, so that it is nothing for SynFlow, whose zeros are counted. Derivatives may be taken when it is left.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return (_conv2d if func is torch.conv2d else func)(*args, **(kwargs or {}))


def _conv2d(
    input: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | str | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> torch.Tensor:
    """As torch.conv2d."""
    fits = (
        all(some.device.type == "cpu" and some.dtype == torch.float64 for some in (input, weight))
        and (input.dim(), groups, _pair(stride), _pair(dilation)) == (4, 1, (1, 1), (1, 1))
        and weight.shape[1:] == (input.shape[1], 3, 3)
        and not isinstance(padding, str)
        and all(0 <= p <= 2 and length + 2 * p > 2 for p, length in zip(_pair(padding), input.shape[2:], strict=True))
    )
    if not fits:
        return torch.conv2d(input, weight, bias, stride, padding, dilation, groups)
    found = convolution(input, weight, _pair(padding))
    return found if bias is None else found + bias[:, None, None]


def _pair(given: int | str | Sequence[int]) -> tuple[Any, ...]:
    return (given, given) if isinstance(given, int) else tuple(given) * (3 - len(given))


def convolution(images: torch.Tensor, weight: torch.Tensor, padding: tuple[int, int]) -> torch.Tensor:
    """The cross-correlation of images [n, C, H, W] with a weight [O, C, 3, 3], stride 1, zeros around: [n, O, H + 2p - 2, W + 2q - 2].

    Args:
        padding: (p, q), rows above and below and columns left and right, none of them more than 2.
    """
    found: torch.Tensor = _Convolution.apply(images, weight, padding, False)
    return found


class _Convolution(torch.autograd.Function):
    """Linear in the images and in the weight, which is `turned` where the convolution is another's adjoint."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, images: torch.Tensor, weight: torch.Tensor, padding: tuple[int, int], turned: bool
    ) -> torch.Tensor:
        ctx.save_for_backward(images, weight)
        ctx.padding, ctx.turned = padding, turned  # type: ignore[attr-defined]
        return convolved(images, _turned(weight) if turned else weight, padding)

    @staticmethod
    def backward(ctx: Any, by_output: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        wider, by_images, by_weight = _full(ctx.padding), None, None
        if ctx.needs_input_grad[0]:
            by_images = _Convolution.apply(by_output, weight, wider, not ctx.turned)
        if ctx.needs_input_grad[1]:
            pair = (by_output, images, wider) if ctx.turned else (images, by_output, ctx.padding)
            by_weight = _Weight.apply(*pair)
        return by_images, by_weight, None, None


class _Weight(torch.autograd.Function):
    """The convolution's derivative in its weight, linear in the images and in the derivative in the outputs."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, images: torch.Tensor, by_output: torch.Tensor, padding: tuple[int, int]
    ) -> torch.Tensor:
        ctx.save_for_backward(images, by_output)
        ctx.padding = padding  # type: ignore[attr-defined]
        return weight_derivative(images, by_output, padding)

    @staticmethod
    def backward(ctx: Any, by_result: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        images, by_output = ctx.saved_tensors
        by_images = by_by_output = None
        if ctx.needs_input_grad[0]:
            by_images = _Convolution.apply(by_output, by_result, _full(ctx.padding), True)
        if ctx.needs_input_grad[1]:
            by_by_output = _Convolution.apply(images, by_result, ctx.padding, False)
        return by_images, by_by_output, None


def _full(padding: tuple[int, int]) -> tuple[int, int]:
    """The adjoint's."""
    return 2 - padding[0], 2 - padding[1]


def _turned(weight: torch.Tensor) -> torch.Tensor:
    """The weight whose convolution is the adjoint's of that with `weight`: turned by half a turn, inputs for outputs."""
    return weight.flip(2, 3).transpose(0, 1)
