"""The weights of a network in bfloat16, kept beside those of float32 that are trained."""

from collections.abc import Collection
from typing import Any

import torch
from torch import nn
from torch.func import functional_call


class Shadow:
    """A network that computes with bfloat16 copies of some of its weights.

    Autocast casts each of them in every forward pass, and its gradient in every backward pass, one launch each: 44 of a ResNet-20's
    375. The copies take the place of the first; all are made by one foreach operation after a step, and their gradients cast by
    another.

    Args:
        network: [b, C, H, W] -> [b, classes], or what `pruneexp.network.outputs.logits` finds these in, in float32; called under
            autocast.
        names: of the weights, such as `pruneexp.training.casts.cast_once` finds.
    """

    def __init__(self, network: nn.Module, names: Collection[str]) -> None:
        self.network = network
        self.weights: list[torch.Tensor] = [network.get_parameter(name) for name in names]
        self.copies = {
            name: torch.empty_like(weight, dtype=torch.bfloat16)
            for name, weight in zip(names, self.weights, strict=True)
        }
        # made once: what is recorded must stay in place
        self.gradients = [torch.empty_like(weight) for weight in self.weights]
        self.follow()

    def __call__(self, images: torch.Tensor) -> Any:
        if not self.copies:  # of some networks no call with other weights can be made
            return self.network(images)
        for weight, copied in zip(self.weights, self.copies.values(), strict=True):
            copied.requires_grad_(weight.requires_grad)
            copied.grad = None
        return functional_call(self.network, self.copies, (images,))

    @torch.no_grad()
    def hand_over_gradients(self) -> None:
        """Give the float32 weights the gradients of their copies; one that no loss reaches has none."""
        into, gradients = [], []
        for weight, copied, room in zip(self.weights, self.copies.values(), self.gradients, strict=True):
            if copied.grad is not None:
                weight.grad = room
                into.append(room)
                gradients.append(copied.grad)
        if into:
            torch._foreach_copy_(into, gradients)

    @torch.no_grad()
    def follow(self) -> None:
        """Make the copies those of the weights as they are."""
        if self.weights:
            torch._foreach_copy_(list(self.copies.values()), self.weights)
