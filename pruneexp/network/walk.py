"""From operation to operation with labels: what every analysis of a network's trace shares.

Each activation of one input is an int64 tensor of labels of its shape: which channel (or which channel at which position) each element
belongs to, as an analysis numbers them. An operation that only moves elements is run on the labels themselves, so that views,
permutations, splits and joinings need no meaning of their own. Labels below 1 are no channel's: `CONSTANT` and `MIXED`, a
statistic over channels or a weight of attention, which scales channels and is none.
"""

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any, ClassVar

import torch
from torch import fx

from pruneexp.errors import UserError
from pruneexp.network.operations import Kind
from pruneexp.network.trace import Operation, Trace

CONSTANT, MIXED = 0, -1
BY_VALUE = {"index", "index_select", "gather", "take_along_dim", "repeat_interleave"}  # read their constants


@dataclass(frozen=True)
class Map:
    """Channels on their way.

    Attributes:
        labels: int64, of the activation's shape with a batch of one.
        origin: what the analysis knows of where they come from.
    """

    labels: torch.Tensor
    origin: Any = None

    @property
    def labelled(self) -> bool:
        """Whether any element belongs to a channel."""
        return bool((collapsed(self.labels)[0] > 0).any())


@dataclass(frozen=True)
class Held:
    """A constant: a parameter, a buffer, or what was computed from such alone.

    Attributes:
        value: itself.
        name: of the parameter or buffer whose elements it holds, scaled or moved; "" where it holds none.
        shape: of that parameter.
        moves: what moved its elements since; they are numbered only where somebody asks, for some weights have a hundred million.
        computed: whether it is other numbers than the parameter's.
    """

    value: torch.Tensor
    name: str = ""
    shape: tuple[int, ...] = ()
    moves: tuple[Callable[[torch.Tensor], torch.Tensor], ...] = ()
    computed: bool = False

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


class Walk(ABC):
    """One analysis of a trace: `follow` goes through its operations and asks the analysis what each means.

    Attributes:
        what: the analysis as messages name it.
    """

    what: ClassVar[str]

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.at: dict[fx.Node, Any] = {}

    @abstractmethod
    def entered(self, shape: Sequence[int]) -> Map:
        """The map of an input of the network."""

    @abstractmethod
    def origin(self, maps: Sequence[Map]) -> Any:
        """The origin of what several maps are joined to."""

    @abstractmethod
    def met(self, operation: Operation, maps: list[Map]) -> Map:
        """Maps that meet element by element, broadcast to one shape."""

    @abstractmethod
    def pooled(self, operation: Operation, x: Map, dims: tuple[int, ...]) -> Map:
        """Elements that meet along dimensions (as `REDUCE` or `POOL` names them)."""

    @abstractmethod
    def layer(self, operation: Operation, name: str, x: Map) -> Map:
        """A prunable weight's outputs."""

    @abstractmethod
    def product(self, operation: Operation, a: Map, b: Map) -> Map:
        """[..., t, d] times [..., d, s], both of activations."""

    @abstractmethod
    def attended(self, operation: Operation, query: Map, key: Map, value: Map) -> Map:
        """Attention, [..., tokens, width] each."""

    @abstractmethod
    def left(self, x: Map) -> None:
        """An output of the network."""

    def with_constant(self, operation: Operation, x: Map, held: Held) -> None:  # noqa: B027
        """A constant met a map of its shape (after broadcasting), or, of a normalisation or activation, `x`; of no interest here."""

    def passed(self, operation: Operation, x: Map) -> Map:
        """What is done to each element, normalisations included."""
        return x

    def refused(self, operation: Operation, why: str = "") -> UserError:
        """The error of what has no meaning here."""
        return UserError(f"{self.what} has no meaning for {operation}{f': {why}' if why else ''}.")

    def follow(self) -> None:
        """Go through all operations.

        Raises:
            UserError: one has no meaning.
        """
        for node in self.trace.inputs:
            self.at[node] = self.entered(tuple(node.meta["val"].shape))
        for node, value in self.trace.values.items():
            self.at[node] = Held(value.detach(), self.trace.tensors[node], tuple(value.shape))
        for operation in self.trace.operations:
            self.at[operation.node] = self._step(operation)
        for node in self.trace.outputs:
            if isinstance(self.at[node], Map):
                self.left(self.at[node])

    def _step(self, operation: Operation) -> Any:
        if any(node not in self.at for node in operation.node.all_input_nodes):  # a graph within the graph
            raise self.refused(operation)
        read = [self.at[node] for node in operation.node.all_input_nodes]
        if operation.node.target is operator.getitem:
            return self.at[operation.named["self"]][operation.named["index"]]
        if not any(isinstance(one, (Map, list, tuple)) for one in read) or operation.kind is Kind.FILL:
            return self._constant(operation, read)
        kind = operation.kind
        if kind is Kind.REDUCE and "other" in operation.named:
            kind = Kind.MULTIPLY
        if kind is Kind.MOVE:
            return self._moved(operation)
        if kind is Kind.LAYER:
            return self._layer(operation)
        if kind is Kind.PRODUCT:
            return self._product(operation)
        if kind is Kind.ATTEND:
            query, key, value = (self._map(operation, name) for name in ("query", "key", "value"))
            return self.attended(operation, query, key, value)
        x = next(one for one in read if isinstance(one, Map))
        if kind in (Kind.ADD, Kind.MULTIPLY):
            return self._met(operation, read)
        if kind is Kind.PASS:
            for held in read:
                if isinstance(held, Held) and held.name:
                    self.with_constant(operation, x, held)
            return self._as_given(operation, self.passed(operation, x))
        if kind is Kind.POOL:
            spatial = int(next(digit for digit in operation.name if digit.isdigit()))
            return self._as_given(operation, self.pooled(operation, x, tuple(range(-spatial, 0))))
        if kind is Kind.REDUCE:
            return self._as_given(operation, self.pooled(operation, x, self._dims(operation, x)))
        raise self.refused(operation)

    def _as_given(self, operation: Operation, x: Map) -> Any:
        """In the first place of a tuple, where the operation gives one."""
        value = operation.node.meta["val"]
        return (x, *[None] * (len(value) - 1)) if isinstance(value, (tuple, list)) else x

    def _constant(self, operation: Operation, read: list[Any]) -> Any:
        given = {
            node: one.value if isinstance(one, Held) else _zeros(node)
            for node, one in zip(operation.node.all_input_nodes, read, strict=True)
        }
        with torch.no_grad():
            value = operation.run(given)
        if isinstance(value, (tuple, list)):
            return [Held(part) for part in value]
        source = next((node for node in given if isinstance(self.at[node], Held) and self.at[node].name), None)
        if source is None or not isinstance(value, torch.Tensor):
            return Held(value)
        if operation.kind is Kind.MOVE and sum(one.is_floating_point() for one in given.values()) > 1:
            return Held(value)  # several, joined
        held = replace(self.at[source], value=value)
        if operation.kind is Kind.MOVE:
            return held.moved(lambda elements: operation.run({**given, source: elements}))
        before = given[source]
        if value.shape != before.shape:
            return Held(value)
        return replace(held, computed=held.computed or value.dtype != before.dtype or not torch.equal(value, before))

    def _moved(self, operation: Operation) -> Any:
        given, maps = {}, []
        others = [node for node in operation.node.all_input_nodes if node is not operation.named.get("self")]
        if operation.name in BY_VALUE and any(isinstance(self.at[node], Map) for node in others):
            raise self.refused(operation, "it chooses by activations")
        for node in operation.node.all_input_nodes:
            one = self.at[node]
            if isinstance(one, Map):
                maps.append(one)
                given[node] = one.labels
            else:
                by_value = operation.name in BY_VALUE
                given[node] = one.value.cpu() if by_value else torch.zeros(one.value.shape, dtype=torch.int64)
        moved = self._run_on_labels(operation, given)
        origin = self.origin(maps)
        if isinstance(moved, (tuple, list)):
            return [Map(part, origin) for part in moved]
        return Map(moved, origin)

    def _run_on_labels(self, operation: Operation, given: dict[fx.Node, torch.Tensor]) -> Any:
        if operation.name in ("pad", "constant_pad_nd"):  # whatever it pads with is a constant
            mode = operation.named.get("mode", "constant")
            labels = given[operation.named["self"]]
            if mode == "constant":
                return torch.nn.functional.pad(labels, operation.named["pad"], value=CONSTANT)
        if "pad" in operation.name or operation.name == "im2col":  # of floating-point numbers only
            return operation.run({node: labels.double() for node, labels in given.items()}).long()
        return operation.run(given)

    def _map(self, operation: Operation, argument: str) -> Map:
        one = self.at[operation.named[argument]]
        return one if isinstance(one, Map) else Map(torch.full(one.value.shape, CONSTANT), self.origin([]))

    def _met(self, operation: Operation, read: list[Any]) -> Map:
        if operation.name == "glu":
            raise self.refused(operation)
        shape = operation.shape
        maps = [replace(one, labels=one.labels.expand(shape)) for one in read if isinstance(one, Map)]
        labelled = [one for one in maps if one.labelled]
        if not labelled:
            whole = Map(reduce(torch.minimum, (one.labels for one in maps)), self.origin(maps))
        else:
            whole = self.met(operation, labelled) if len(labelled) > 1 else labelled[0]
        for one in read:
            if isinstance(one, Held) and one.name:
                self.with_constant(operation, whole, one.moved(lambda elements: elements.expand(shape)))
        return whole

    def _layer(self, operation: Operation) -> Map:
        held = self.at[operation.named["weight"]]
        argument = next(name for name in ("input", "indices", "self") if name in operation.named)
        x = self._map(operation, argument)
        if not isinstance(held, Held):
            raise self.refused(operation, "its weight is computed from activations")
        made = self.layer(operation, self._whole(operation, held), x)
        bias = operation.named.get("bias")
        if bias is not None and isinstance(self.at[bias], Held):
            axis = -1 if operation.name == "linear" else 1
            shape = [1] * made.labels.dim()
            shape[axis] = -1
            spread = self.at[bias].moved(lambda elements: elements.reshape(shape).expand(made.labels.shape))
            if spread.name:
                self.with_constant(operation, made, spread)
        return made

    def _whole(self, operation: Operation, held: Held, transposed: bool = False) -> str:
        """The name of the prunable weight that this is, element by element."""
        if held.name not in self.trace.weights:
            raise self.refused(operation, f"it multiplies by {held.name or 'a constant'}, which is no prunable weight")
        if transposed:
            held = held.moved(torch.t)
        if held.moves and not torch.equal(held.elements.flatten(), torch.arange(self.trace.weights[held.name].numel())):
            raise self.refused(operation, f"it reads {held.name} in parts")
        return held.name

    def _product(self, operation: Operation) -> Map:
        if operation.name == "einsum":
            raise self.refused(operation)
        a, b = (self.at[node] for node in operation.node.args[-2:])  # type: ignore[index]
        if isinstance(a, Map) and isinstance(b, Held) and b.value.dim() == 2:
            return self.layer(operation, self._whole(operation, b, transposed=True), a)
        if isinstance(a, Map) and isinstance(b, Map):
            return self.product(operation, a, b)
        raise self.refused(operation)

    @staticmethod
    def _dims(operation: Operation, x: Map) -> tuple[int, ...]:
        dim = operation.named.get("dim")
        if dim is None or dim == []:
            return tuple(range(x.labels.dim()))
        return tuple(dim) if isinstance(dim, (list, tuple)) else (dim,)


def _zeros(node: fx.Node) -> torch.Tensor:
    """Zeros in the place of an activation, for what only asks its shape."""
    like = node.meta["val"]
    return torch.zeros(tuple(like.shape), dtype=like.dtype, device=like.device)


def collapsed(*tensors: torch.Tensor) -> list[torch.Tensor]:
    """The tensors, of one shape, at the first place of each dimension along which all repeat: expanding makes most labels."""
    shape = tensors[0].shape
    repeated = [d for d in range(len(shape)) if all(one.stride(d) == 0 for one in tensors) and shape[d] > 1]
    return [one[tuple(slice(0, 1) if d in repeated else slice(None) for d in range(len(shape)))] for one in tensors]


def constant_along(labels: torch.Tensor, dims: Sequence[int]) -> torch.Tensor | None:
    """The label of each line along `dims` (kept, of length one) where its labelled elements agree, else None."""
    (few,) = collapsed(labels)
    top = few.amax(tuple(dims), keepdim=True)
    if not bool(((few == top) | (few <= 0)).all()):
        return None
    return top.expand(
        [1 if d % labels.dim() in {e % labels.dim() for e in dims} else n for d, n in enumerate(labels.shape)]
    )
