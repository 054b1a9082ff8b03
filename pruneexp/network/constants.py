"""What a network computes of its parameters and buffers alone, and which of their elements it still is."""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import fx

from pruneexp.network.operations import LIKE, Kind
from pruneexp.network.trace import Operation


@dataclass(frozen=True)
class Held:
    """A constant: a parameter, a buffer, or what was computed from such alone.

    Attributes:
        value: itself.
        name: of the parameter or buffer whose elements it holds, scaled or moved; "" where it holds none.
        shape: of that parameter.
        moves: what moved its elements since; they are numbered only where somebody asks, for some weights have a hundred million.
        computed: whether it is other numbers than the parameter's.
        zeros: whether an element is zero where the parameter's is, whatever the others are.
    """

    value: torch.Tensor
    name: str = ""
    shape: tuple[int, ...] = ()
    moves: tuple[Callable[[torch.Tensor], torch.Tensor], ...] = ()
    computed: bool = False
    zeros: bool = True

    @cached_property
    def elements(self) -> torch.Tensor:
        """int64, the index in the parameter of each element that is held."""
        elements = torch.arange(torch.Size(self.shape).numel()).reshape(self.shape)
        for move in self.moves:
            elements = move(elements)
        return elements

    def moved(self, move: Callable[[torch.Tensor], torch.Tensor]) -> "Held":
        """The same with its elements elsewhere; the value is left."""
        return replace(self, moves=(*self.moves, move))


def constant(operation: Operation, at: Mapping[fx.Node, Any], weights: Container[str]) -> Any:
    """What an operation makes of constants: one that is held, or a list of them.

    Args:
        operation: whose inputs are constants, or of which only the shape is asked.
        at: what is known of the nodes before.
        weights: names of the prunable ones.
    """
    given, moves = values(operation, at), operation.kind in (Kind.MOVE, Kind.PICK)
    with torch.no_grad():
        value = operation.run(given)
    if isinstance(value, (tuple, list)):
        return [Held(part) for part in value]
    source = next((node for node in given if isinstance(at[node], Held) and at[node].name), None)
    if source is None or operation.kind is Kind.FILL or not isinstance(value, torch.Tensor):
        return Held(value)
    held, before = replace(at[source], value=value), given[source]
    if moves:
        joined = operation.name not in LIKE and sum(one.is_floating_point() for one in given.values()) > 1
        others = {node: one.cpu() for node, one in given.items()}  # where elements are numbered
        return Held(value) if joined else held.moved(lambda elements: operation.run({**others, source: elements}))
    if value.shape != before.shape:
        return Held(value)
    if value.dtype == before.dtype and torch.equal(value, before):
        return held
    zeros = held.zeros and (held.name not in weights or _keeps_zeros(operation, given, source))
    return replace(held, computed=True, zeros=zeros)


def values(operation: Operation, at: Mapping[fx.Node, Any]) -> dict[fx.Node, torch.Tensor]:
    """The operation's inputs: constants, and zeros for what only its shape is asked of."""
    nodes = operation.node.all_input_nodes
    return {node: at[node].value if isinstance(at[node], Held) else _zeros(node) for node in nodes}


def _keeps_zeros(operation: Operation, given: dict[fx.Node, torch.Tensor], source: fx.Node) -> bool:
    """Whether every other element, set to zero as under a mask, is zero afterwards."""
    if operation.kind not in (Kind.PASS, Kind.ADD, Kind.MULTIPLY):
        return False
    before = given[source]
    pruned = torch.arange(before.numel(), device=before.device).reshape(before.shape) % 2 == 0
    with torch.no_grad():
        without: torch.Tensor = operation.run({**given, source: before.masked_fill(pruned, 0)})
    return not bool(without[pruned].any())


def _zeros(node: fx.Node) -> torch.Tensor:
    """Zeros in the place of an activation, for what only asks its shape."""
    like = node.meta["val"]
    return torch.zeros(tuple(like.shape), dtype=like.dtype, device=like.device)
