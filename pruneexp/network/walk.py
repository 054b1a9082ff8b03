"""From operation to operation with labels: what every analysis of a network's trace shares.

Each activation of one input is an int64 tensor of labels of its shape: which channel (or which channel at which position) each element
belongs to, as an analysis numbers them. An operation that only moves elements is run on the labels themselves, so that views,
permutations, splits and joinings need no meaning of their own. Labels below 1 are no channel's: `CONSTANT` and `MIXED`, a
statistic over channels or a weight of attention, which scales channels and is none.
"""

import operator
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, ClassVar

import torch
from torch import fx

from pruneexp.errors import UserError
from pruneexp.network.constants import Held, constant, values
from pruneexp.network.operations import CHOOSE, LIKE, Kind
from pruneexp.network.trace import Operation, Trace

CONSTANT, MIXED = 0, -1


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
            return constant(operation, self.at, self.trace.weights)
        kind = operation.kind
        if kind is Kind.REDUCE and "other" in operation.named:
            kind = Kind.MULTIPLY
        if kind in (Kind.MOVE, Kind.PICK):
            return self._moved(operation)
        if kind is Kind.LAYER:
            return self._layer(operation)
        if kind is Kind.PRODUCT:
            return self._product(operation)
        if kind is Kind.ATTEND:
            query, key, value = (self._map(operation, name) for name in ("query", "key", "value"))
            return self.attended(operation, query, key, value)
        if kind in (Kind.ADD, Kind.MULTIPLY):
            return self._met(operation, read)
        if kind is Kind.PASS:
            return self._passed(operation, read)
        x = next(one for one in read if isinstance(one, Map))
        if kind is Kind.POOL:
            spatial = int(next(digit for digit in operation.name if digit.isdigit()))
            return self._as_given(operation, self.pooled(operation, x, tuple(range(-spatial, 0))))
        if kind is Kind.REDUCE:
            return self._as_given(operation, self.pooled(operation, x, self._dims(operation, x)))
        raise self.refused(operation)

    def _as_given(self, operation: Operation, x: Map) -> Any:
        """In the first place of a tuple, where the operation gives one; the others, indices and statistics, hold no channels."""
        value = operation.node.meta["val"]
        if not isinstance(value, (tuple, list)):
            return x
        return (x, *(Map(torch.full(tuple(one.shape), MIXED), self.origin([])) for one in value[1:]))

    def _passed(self, operation: Operation, read: list[Any]) -> Any:
        x = self.at[operation.node.all_input_nodes[0]]
        if isinstance(x, Held) and operation.name in LIKE:
            return replace(x, value=operation.run(values(operation, self.at)))
        if not isinstance(x, Map) or any(isinstance(one, Map) for one in read[1:] if operation.name not in LIKE):
            raise self.refused(operation, "it takes an activation where a constant belongs")
        for held in read[1:]:
            if isinstance(held, Held) and held.name:
                self.with_constant(operation, x, held)
        return self._as_given(operation, self.passed(operation, x))

    def _moved(self, operation: Operation) -> Any:
        given, maps = {}, []
        others = [node for node in operation.node.all_input_nodes if node is not operation.named.get("self")]
        if operation.name in CHOOSE and any(isinstance(self.at[node], Map) for node in others):
            raise self.refused(operation, "it chooses by activations")
        for node in operation.node.all_input_nodes:
            one = self.at[node]
            if isinstance(one, Map):
                maps.append(one)
                given[node] = one.labels
            else:
                chooses = operation.name in CHOOSE
                given[node] = one.value.cpu() if chooses else torch.zeros(one.value.shape, dtype=torch.int64)
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
        if "view" in operation.name:  # labels that are expanded where the activation is not can be no view
            given = {node: labels.contiguous() for node, labels in given.items()}
        return operation.run(given)

    def _map(self, operation: Operation, argument: str) -> Map:
        one = self.at[operation.named[argument]]
        return one if isinstance(one, Map) else Map(torch.full(one.value.shape, CONSTANT), self.origin([]))

    def _met(self, operation: Operation, read: list[Any]) -> Map:
        shape = operation.shape
        maps = [replace(one, labels=one.labels.expand(shape)) for one in read if isinstance(one, Map)]
        labelled = [one for one in maps if one.labelled]
        alone = len(labelled) == 1 and isinstance(read[0], Map) and labelled[0] is maps[0]
        if labelled and not alone and operation.written_elsewhere:
            raise self.refused(operation, "it writes into what is used under another name too")
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
        bias = self.at.get(operation.named["bias"]) if operation.named.get("bias") is not None else None
        if isinstance(bias, Map):
            raise self.refused(operation, "its bias is computed from activations")
        if bias is not None and bias.name:
            shape = [1] * made.labels.dim()
            shape[operation.channels] = -1
            spread = bias.moved(lambda elements: elements.reshape(shape).expand(made.labels.shape))
            self.with_constant(operation, made, spread)
        return made

    def _whole(self, operation: Operation, held: Held, transposed: bool = False) -> str:
        """The name of the prunable weight that this is, element by element."""
        if held.name not in self.trace.weights:
            raise self.refused(operation, f"it multiplies by {held.name or 'a constant'}, which is no prunable weight")
        if not held.zeros:
            raise self.refused(operation, f"its weight is computed from {held.name} and does not keep its zeros")
        if transposed:
            held = held.moved(torch.t)
        if held.moves and not torch.equal(held.elements.flatten(), torch.arange(self.trace.weights[held.name].numel())):
            raise self.refused(operation, f"it reads {held.name} in parts")
        return held.name

    def _product(self, operation: Operation) -> Map:
        added = self.at.get(operation.named["self"]) if "add" in operation.name else None
        if isinstance(added, Map):
            raise self.refused(operation, "it adds activations too")
        a, b = (self.at[node] for node in operation.node.args[-2:])  # type: ignore[index]
        if isinstance(a, Map) and isinstance(b, Held) and b.value.dim() == 2:
            made = self.layer(operation, self._whole(operation, b, transposed=True), a)
            if added is not None and added.name:  # a bias
                self.with_constant(operation, made, added.moved(lambda elements: elements.expand(made.labels.shape)))
            return made
        if isinstance(a, Map) and isinstance(b, Map):
            return self.product(operation, a, b)
        raise self.refused(operation)

    @staticmethod
    def _dims(operation: Operation, x: Map) -> tuple[int, ...]:
        dim = operation.named.get("dim")
        if dim is None or dim == []:
            return tuple(range(x.labels.dim()))
        return tuple(dim) if isinstance(dim, (list, tuple)) else (dim,)


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
