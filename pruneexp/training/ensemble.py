"""Several networks of one architecture as one: stacked parameters, mapped over by torch.func."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from pruneexp.network.masks import Masks

State = dict[str, torch.Tensor]


class Ensemble(nn.Module):
    """Networks of one architecture that see the same images: [b, C, H, W] -> logits [members, b, classes].

    Parameter and buffer `name` of all members is one tensor [members, ...], under the name it has in each; BatchNorm
    updates its slice of the stacked statistics. No arithmetic joins two members, so that each one's outputs and
    gradients are those it would have alone, up to the rounding of convolutions done in groups, and one whose numbers
    are no longer finite does not disturb the others. What is random inside a network is refused by vmap: it could not
    be what each network alone would draw.

    Args:
        networks: at least one; copied.

    `channels_last` is the memory layout of the feature maps: on a CPU it makes no difference; on a GPU, where such
    grouped convolutions can be slow in one of the two, scripts/bench_training.py measures both.
    """

    channels_last = False

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = len(networks)
        self._structure = (networks[0],)  # in a tuple: its own parameters are not the ensemble's
        parameters, buffers = stack_module_state(list(networks))
        for name, value in parameters.items():
            laid_out = _channels_last(value.detach()) if self.channels_last else value.detach()
            self.register_parameter(_key(name), nn.Parameter(laid_out))
        for name, value in buffers.items():
            self.register_buffer(_key(name), value)
        self.set_aside: dict[int, State] = {}

    @property
    def structure(self) -> nn.Module:
        """The first network: its modules and their modes count here, its numbers do not."""
        return self._structure[0]

    def named_parameters(self, *args: Any, **options: Any) -> Iterator[tuple[str, nn.Parameter]]:
        """The stacked parameters under the networks' own names."""
        return ((_name(key), value) for key, value in super().named_parameters(*args, **options))

    def named_buffers(self, *args: Any, **options: Any) -> Iterator[tuple[str, torch.Tensor]]:
        """The stacked buffers under the networks' own names."""
        return ((_name(key), value) for key, value in super().named_buffers(*args, **options))

    def train(self, mode: bool = True) -> "Ensemble":
        super().train(mode)
        self.structure.train(mode)
        return self

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        images = images.contiguous(memory_format=torch.channels_last if self.channels_last else torch.contiguous_format)

        def one(parameters: State, buffers: State) -> torch.Tensor:
            logits: torch.Tensor = functional_call(self.structure, (parameters, buffers), (images,))
            return logits

        stacked = vmap(one, randomness="error")(dict(self.named_parameters()), dict(self.named_buffers()))
        assert isinstance(stacked, torch.Tensor)
        return stacked

    def state(self, member: int) -> State:
        """One member's state dict, a copy."""
        everything = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        return {name: value[member].detach().clone() for name, value in everything.items()}

    def put_aside(self, member: int) -> None:
        """Keep the member as it is now for `copy_to`, whatever happens to it later."""
        self.set_aside[member] = self.state(member)

    def copy_to(self, networks: Sequence[nn.Module]) -> None:
        """Give each network its member's parameters and buffers."""
        for member, network in enumerate(networks):
            network.load_state_dict(self.set_aside.get(member) or self.state(member))


def stack_masks(masks: Sequence[Masks]) -> Masks:
    """Masks [members, ...] by weight name; a member without any, a dense one, keeps everything."""
    shapes = {name: mask for some in masks for name, mask in some.items()}
    return {
        name: torch.stack([some.get(name, torch.ones_like(mask)) for some in masks]) for name, mask in shapes.items()
    }


def _channels_last(weight: torch.Tensor) -> torch.Tensor:
    """The same weight [members, out, in, height, width], whose members are channels-last in memory; others as they are."""
    return weight.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3) if weight.dim() == 5 else weight


def _key(name: str) -> str:
    """A parameter's name as a module may register it: without dots."""
    return name.replace(".", "/")


def _name(key: str) -> str:
    return key.replace("/", ".")
