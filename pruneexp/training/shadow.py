"""The weights of a network in bfloat16, kept beside those of float32 that are trained."""

import copy
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pruneexp.training.device import Device


class Shadow:
    """A network that computes with bfloat16 copies of some of its weights.

    Autocast casts each of them in every forward pass, and its gradient in every backward pass, one launch each: 44 of a ResNet-20's
    375. The copies take the place of the first; all are made by one foreach operation after a step, and their gradients cast by
    another.

    Args:
        network: [b, C, H, W] -> [b, classes], in float32; called under autocast.
        names: of the weights, such as `cast_once` finds.
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

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        for weight, copied in zip(self.weights, self.copies.values(), strict=True):
            copied.requires_grad_(weight.requires_grad)
            copied.grad = None
        logits: torch.Tensor = functional_call(self.network, self.copies, (images,))
        return logits

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


@torch.no_grad()
def cast_once(network: nn.Module, images: torch.Tensor, device: Device) -> list[str]:
    """Names of the weights whose copies in bfloat16 can stand for them: with these the network computes the very numbers of autocast.

    They are those of which a forward pass does nothing but cast them to bfloat16, once: what is computed of a weight in float32, as a
    weight's norm, would be computed of rounded numbers, and the gradients of two uses would be added in bfloat16. None are where a
    forward pass with the copies is made of other operations, which it is where the network looks at a weight's dtype, or where
    none can be made of a copy of the network. What a network does with its weights it is taken to do in every pass.

    Args:
        network: left as it is, and so are the generators of random numbers.
        images: [b, C, H, W], a few.
        device: that they are on, in bf16.
    """
    try:
        probe = copy.deepcopy(network)
        plain = _Trace(probe)
        _forward(probe, images, device, plain)
        names = [
            name for weight, name in plain.names.items() if plain.casts[weight] == 1 and weight not in plain.others
        ]
        probe = copy.deepcopy(network)
        shadowed = _Trace(probe)
        _forward(Shadow(probe, names), images, device, shadowed)
    except Exception:  # whatever a network raises of which a copy cannot be run
        return []
    return names if shadowed.operations == plain.operations else []


def _forward(
    network: Callable[[torch.Tensor], torch.Tensor], images: torch.Tensor, device: Device, trace: "_Trace"
) -> None:
    """A forward pass as in training, that draws no random numbers from those of others."""
    generators = [images.device] if images.device.type == "cuda" else []
    with torch.random.fork_rng(generators), device.autocast(), trace:
        network(images)


class _Trace(TorchDispatchMode):
    """Of a forward pass: how often weights are cast to bfloat16, which are used otherwise, and all operations but these casts."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        own = network.named_parameters()
        self.names = {id(weight): name for name, weight in own if weight.dtype == torch.float32}
        self.casts: Counter[int] = Counter()
        self.others: set[int] = set()
        self.operations: list[tuple[Any, list[torch.dtype]]] = []

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        weights = [id(tensor) for tensor in tensors if id(tensor) in self.names]
        if weights and operator is torch.ops.aten._to_copy.default and kwargs.get("dtype") == torch.bfloat16:
            self.casts.update(weights)
        else:
            self.others.update(weights)
            self.operations.append((operator, [tensor.dtype for tensor in tensors]))
        return operator(*args, **kwargs)
