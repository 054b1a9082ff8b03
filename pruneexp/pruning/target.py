"""What of a network is to be pruned."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from pruneexp.network.structure import Structure


@dataclass(frozen=True)
class Target:
    """The weights that are to be pruned.

    Attributes:
        model: a plain network.
        structure: how its layers join.
        names: of the weights to be pruned; None: all.
        previous: an earlier round's masks, or those that are on the network; what they pruned stays pruned.
    """

    model: nn.Module
    structure: Structure
    names: Collection[str] | None = None
    previous: Mapping[str, torch.Tensor] = field(default_factory=dict)

    def includes(self, name: str) -> bool:
        """Whether the weight of this name is to be pruned."""
        return self.names is None or name in self.names
