"""Which weights autocast casts to bfloat16 and nothing else is done with."""

import contextlib
import copy
import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pruneexp.training.device import Device
from pruneexp.training.shadow import Shadow

KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def cast_once(network: nn.Module, images: torch.Tensor, device: Device) -> list[str]:
    """Names of the weights whose copies in bfloat16 can stand for them: with these the network computes the very numbers of autocast.

    They are weights and biases of convolutions and linear layers, of these very classes, of which a forward pass does nothing but
    cast them to bfloat16, once, where their layer is called. What is computed of a weight in float32, as its norm, would be computed of
    rounded numbers; the gradients of two uses would be added in bfloat16; what others compute of a weight may have a gradient of its own.
    None are where a forward pass with the copies is made of other operations, which it is where the network looks at a weight's dtype,
    or where none can be made of a copy of the network. What a network does with its weights it is taken to do in every pass.

    Args:
        network: left as it is, and so are the generators of random numbers; what it reaches outside itself sees two passes more.
        images: [b, C, H, W], a batch as it is trained on.
        device: that they are on, in bf16.
    """
    try:
        probe = copy.deepcopy(network)
        plain = _Trace(probe)
        _forward(probe, images, device, plain)
        hooked = {name for name, weight in network.named_parameters() if _has_hooks(weight)}
        names = [name for name in plain.cast_once() if name not in hooked]
        probe = copy.deepcopy(network)
        shadowed = _Trace(probe)
        _forward(Shadow(probe, names), images, device, shadowed)
    except Exception:  # whatever a network raises of which a copy cannot be run
        return []
    return names if shadowed.operations == plain.operations else []


def _has_hooks(weight: nn.Parameter) -> bool:
    """Whether somebody is told of its gradient, who would not be of its copy's."""
    return bool(weight._backward_hooks or getattr(weight, "_post_accumulate_grad_hooks", None))


def _forward(network: Callable[[torch.Tensor], object], images: torch.Tensor, device: Device, trace: "_Trace") -> None:
    """A forward pass as in training, in which random numbers are drawn that nobody misses."""
    generators = [images.device] if images.device.type == "cuda" else []
    others = random.getstate(), np.random.get_state()  # noqa: NPY002
    # what torch.compile finds under a trace it would never compile again; importing it takes seconds, and need not be where nobody has
    compiles = "torch._dynamo" in sys.modules
    eager = torch.compiler.set_stance("force_eager") if compiles else contextlib.nullcontext()
    try:
        with torch.random.fork_rng(generators), device.autocast(), eager, trace:
            network(images)
    finally:
        random.setstate(others[0])
        np.random.set_state(others[1])  # noqa: NPY002


class _Trace(TorchDispatchMode):
    """Of a forward pass: which weights are cast to bfloat16 and how often, which are used otherwise, and all operations but these casts."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.names = {id(weight): name for name, weight in network.named_parameters() if weight.dtype == torch.float32}
        self.casts: Counter[int] = Counter()
        self.others: set[int] = set()
        self.operations: list[tuple[Any, list[Any]]] = []
        self.inside: list[nn.Module] = []  # the layers that are being called
        for module in network.modules():
            if type(module) in KINDS:
                module.register_forward_pre_hook(self._enter)
                module.register_forward_hook(self._leave)

    def _enter(self, layer: nn.Module, _: object) -> None:
        self.inside.append(layer)

    def _leave(self, *_: object) -> None:
        self.inside.pop()

    def cast_once(self) -> list[str]:
        """Names of the weights that are, and nothing else."""
        return [name for key, name in self.names.items() if self.casts[key] == 1 and key not in self.others]

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        leaves = tree_leaves((args, kwargs))
        weights = [id(leaf) for leaf in leaves if id(leaf) in self.names]
        if operator is torch.ops.aten._to_copy.default and kwargs.get("dtype") == torch.bfloat16 and self._own(weights):
            self.casts.update(weights)
        else:
            self.others.update(weights)
            told = [leaf.dtype if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
            self.operations.append((operator, told))
        return operator(*args, **kwargs)

    def _own(self, weights: Sequence[int]) -> bool:
        """Whether they are of the layer that is being called."""
        mine = self.inside[-1]._parameters.values() if self.inside else ()
        return bool(weights) and {*weights} <= {id(weight) for weight in mine}
