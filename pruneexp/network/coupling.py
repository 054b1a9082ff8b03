"""Which channels of a network can only be removed together, and what goes with them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import nn

from pruneexp.errors import UserError
from pruneexp.network.constants import Held
from pruneexp.network.operations import BY_CHANNEL, Kind
from pruneexp.network.trace import Operation, Trace, traced
from pruneexp.network.walk import MIXED, Map, collapsed
from pruneexp.network.wiring import Channels, Origin, classes

Places = tuple[torch.Tensor, torch.Tensor]  # int64 indices along one dimension of a tensor, int64 the channel of each


@dataclass(frozen=True)
class Coupled:
    """Channels that layers share: removing channel k means its row in every output layer and its columns in every reader.

    Attributes:
        channels: their number.
        outputs: by weight name, the rows that make these channels, of the weight with its outputs first.
        inputs: by weight name, the columns (of dimension 1) that read them; several a channel after flattening.
        slices: by the name of a parameter or buffer and its dimension, as torch stores it, the indices that go: of weights, biases,
            normalisation and whatever else meets these channels one by one.
    """

    channels: int
    outputs: dict[str, Places]
    inputs: dict[str, Places]
    slices: dict[tuple[str, int], Places] = field(default_factory=dict)


def coupled(model: nn.Module, input_shape: tuple[int, ...] | None = None) -> list[Coupled]:
    """The groups of coupled channels (Fang et al. 2023, "DepGraph"), without those that cannot go; the model is left as it is.

    Channels are the vertices of the identified wiring, and in addition those before and after a depthwise convolution are one. Channels
    whose rows and columns lie in the same layers are a group. A channel stays where the network gives it out, normalises over it, compares
    it with others (attention), counts it in a number written down, or does to it what has no meaning here.

    Args:
        model: a plain network.
        input_shape: of one input; None: as for `pruneexp.network.trace.traced`.

    Returns:
        Groups and channels in the order of the first layer and row that make them.

    Raises:
        UserError: the network cannot be traced, or there is no channel that could go.
    """
    return coupled_in(traced(model, input_shape))


def coupled_in(trace: Trace) -> list[Coupled]:
    """What `coupled` gives, of a network that is traced already."""
    walk = Coupling(trace)
    walk.follow()
    groups = walk.groups()
    if not groups:
        unknown = f", or met by {walk.unknown}" if walk.unknown else ""
        raise UserError(
            "no channel of this network can be removed: each is given out, normalised over, compared with others or counted in a"
            f" number written down{unknown}."
        )
    return groups


class Coupling(Channels):
    """Notes beside the wiring which channels have to stay, and which indices of parameters and buffers follow which channel."""

    what: ClassVar[str] = "removal"

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)
        self.stay: list[torch.Tensor] = [torch.tensor([0])]
        self.along: dict[tuple[str, int], torch.Tensor] = {}
        self.depthwise: set[str] = set()
        self.unknown = ""  # the first operation without a meaning

    def stays(self, labels: torch.Tensor) -> None:
        """These channels cannot go."""
        self.stay.append(labels[labels > 0].unique())

    def entered(self, shape: Any) -> Map:
        made = super().entered(shape)
        self.stays(made.labels)
        return made

    def left(self, x: Map) -> None:
        self.stays(x.labels)

    def spread(self, maps: Sequence[Map]) -> None:
        for one in maps:
            self.stays(one.labels)

    def pooled(self, operation: Operation, x: Map, dims: tuple[int, ...]) -> Map:
        made = super().pooled(operation, x, dims)
        if not made.labelled:
            self.stays(x.labels)
        return made

    def product(self, operation: Operation, a: Map, b: Map) -> Map:
        if a.labelled and b.labelled:
            self.stays(a.labels)
            self.stays(b.labels)
        return super().product(operation, a, b)

    def attended(self, operation: Operation, query: Map, key: Map, value: Map) -> Map:
        self.stays(value.labels)
        return super().attended(operation, query, key, value)

    def passed(self, operation: Operation, x: Map) -> Map:
        axis = axis_of(x.labels)
        if axis is None or axis in _normalised(operation, x.labels.dim()):
            self.stays(x.labels)
        return x

    def layer(self, operation: Operation, name: str, x: Map) -> Map:
        before, groups = self.vertices, int(operation.named.get("groups", 1))
        made = super().layer(operation, name, x)
        sources, targets = self.sources[name], self.targets[name]
        self.stays(torch.arange(before, self.vertices - len(targets)))  # columns that read constants
        if groups > 1 and sources.shape[1] == 1:
            self.same(sources[:, 0], targets)
            self.depthwise.add(name)
        held = next(self.at[n] for n in operation.node.all_input_nodes if getattr(self.at[n], "name", "") == name)
        bias = operation.named.get("bias")
        if bias is not None and not getattr(self.at[bias], "name", ""):
            self.stays(targets)
        mixed = (groups > 1 and name not in self.depthwise) or operation.name == "embedding"
        if mixed or held.computed:
            self.stays(sources)
            self.stays(targets)
        if mixed:
            return made
        many = groups > 1
        for dimension, labels in enumerate(
            (sources[0], targets) if operation.transposed and not many else (targets, sources[0])
        ):
            if not (many and dimension):  # each channel of a depthwise convolution has a kernel, and no column
                self._follows(name, dimension, labels[:: len(labels) // self.trace.weights[name].shape[dimension]])
        return made

    def with_constant(self, operation: Operation, x: Map, held: Held) -> None:
        axis, elements, shape = axis_of(x.labels), held.elements, held.shape
        if axis is None or not x.labelled:
            return
        if operation.kind is Kind.PASS and operation.name in BY_CHANNEL and x.labels.dim() > 1:
            elements = elements.reshape(-1, *[1] * (x.labels.dim() - 2))
        elements = elements.expand(x.labels.shape)
        once = tuple(slice(None) if d == axis or elements.stride(d) else slice(0, 1) for d in range(elements.dim()))
        index = torch.stack(torch.unravel_index(elements[once].movedim(axis, -1).flatten(0, -2), shape))
        varying = [d for d in range(len(shape)) if bool((index[d] != index[d][:, :1]).any())]
        if not varying:
            return
        line = line_of(x.labels, axis)
        if len(varying) > 1 or held.computed:
            self.stays(line)
        else:
            for part in index[varying[0]]:
                self._follows(held.name, varying[0], torch.zeros(shape[varying[0]]).long().scatter(0, part, line))
                self.same(self.along[held.name, varying[0]][part], line)

    def _follows(self, name: str, dimension: int, labels: torch.Tensor) -> None:
        known = self.along.setdefault((name, dimension), labels.clone())
        self.same(known, labels)
        known[known <= 0] = labels[known <= 0]

    def _step(self, operation: Operation) -> Any:
        nodes, before = operation.node.all_input_nodes, self.vertices
        try:
            made = super()._step(operation)
        except UserError:  # what has no meaning touches channels that stay
            self.unknown = self.unknown or str(operation)
            self.stays(torch.arange(before, self.vertices))
            for node in nodes:
                self.stays(_labels(self.at.get(node)))
            made = _mixed(operation.node.meta["val"])
        read = [self.at.get(node) for node in nodes]
        for one in made if isinstance(made, (list, tuple)) else [made]:
            if isinstance(one, Map) and one.labelled:
                self._check(operation, [x for x in read if isinstance(x, (Map, Held))], one)
        return made

    def _check(self, operation: Operation, read: list[Map | Held], made: Map) -> None:
        """Channels stay that lie along several dimensions, or of which some of what meets them would not go."""
        axis = axis_of(made.labels)
        if axis is None:
            return self.stays(made.labels)
        line = line_of(made.labels, axis)
        joined = operation.name in ("cat", "concat", "concatenate")
        across = joined and operation.named["dim"] % made.labels.dim() != axis
        if across or operation.kind in (Kind.ADD, Kind.MULTIPLY, Kind.PASS):
            for one in read:
                if joined or not (isinstance(one, Held) and one.name):  # others are cut along, see `with_constant`
                    self.stays(line[_fixed(one, axis - made.labels.dim())])
        if operation.kind is Kind.PICK:
            for one in read:
                if isinstance(one, Map) and one.labelled and not _whole(one.labels, line):
                    self.stays(one.labels)

    def groups(self) -> list[Coupled]:
        """Channels whose rows and columns lie in the same layers, without those that stay."""
        found = classes(self.vertices, [*self.merged, *self.skips])
        free = torch.ones(self.vertices, dtype=torch.bool)
        free[found[torch.cat(self.stay)]] = False
        rows = {name: found[self.targets[name]] for name in self.trace.weights if name in self.targets}
        columns = {name: found[self.sources[name][0]] for name in rows if name not in self.depthwise}
        where: dict[int, list[tuple[str, int]]] = defaultdict(list)
        for role, some in enumerate((rows, columns)):
            for name, labels in some.items():
                for channel in labels[free[labels]].unique().tolist():
                    where[channel].append((name, role))
        members: dict[tuple[tuple[str, int], ...], dict[int, int]] = {}
        for labels in rows.values():
            for channel in labels[free[labels]].tolist():
                group = members.setdefault(tuple(where[channel]), {})
                group.setdefault(channel, len(group))
        number, group_of = torch.zeros(self.vertices).long(), torch.full((self.vertices,), -1)
        for k, group in enumerate(members.values()):
            number[list(group)], group_of[list(group)] = torch.arange(len(group)), k
        split = [
            _by_group(some, group_of, number) for some in (rows, columns, {k: found[v] for k, v in self.along.items()})
        ]
        return [Coupled(len(group), *(part[k] for part in split)) for k, group in enumerate(members.values())]


def axis_of(labels: torch.Tensor) -> int | None:
    """The dimension along which the channels lie, where they differ along no other but for constants; else None."""
    (few,) = collapsed(labels)
    for dimension in range(labels.dim()):
        if bool(((few == _top(few, dimension)) | (few <= 0)).all()):
            return dimension
    return None


def line_of(labels: torch.Tensor, dimension: int) -> torch.Tensor:
    """The channels along one dimension."""
    return _top(labels, dimension).flatten()


def _top(labels: torch.Tensor, dimension: int) -> torch.Tensor:
    once = labels[
        tuple(slice(None) if labels.stride(d) else slice(0, 1) for d in range(labels.dim()))
    ]  # where it is expanded
    others = [d for d in range(labels.dim()) if d != dimension]
    return once.amax(others, keepdim=True) if others else once


def _normalised(operation: Operation, dimensions: int) -> list[int]:
    """The dimensions whose elements a normalisation mixes; none of other operations."""
    name, dim = operation.name, operation.named.get("dim")
    if "softmax" in name and isinstance(dim, int):
        return [dim % dimensions]
    if "layer_norm" in name or "rms_norm" in name:
        return list(range(dimensions - len(operation.named["normalized_shape"]), dimensions))
    if "group_norm" in name:
        return list(range(1, dimensions))
    return list(range(2, dimensions)) if "instance_norm" in name else []


def _labels(one: Any) -> torch.Tensor:
    """All that an activation, or several, holds of channels."""
    if isinstance(one, (list, tuple)):
        return torch.cat([torch.empty(0, dtype=torch.int64), *(_labels(part) for part in one)])
    return one.labels.flatten() if isinstance(one, Map) else torch.empty(0, dtype=torch.int64)


def _mixed(value: Any) -> Any:
    """Maps without channels, in the shape of what an operation gives."""
    if isinstance(value, (list, tuple)):
        return [_mixed(part) for part in value]
    return Map(torch.full(tuple(value.shape), MIXED), Origin()) if isinstance(value, torch.Tensor) else None


def _fixed(one: Map | Held, axis: int) -> torch.Tensor:
    """Where along a dimension, counted from the last, something has an element that no channel takes along, bool [1] or [n]."""
    whole = one.labels if isinstance(one, Map) else torch.zeros(one.value.shape, dtype=torch.int64)
    if whole.dim() < -axis or whole.shape[axis] == 1:
        return torch.tensor([], dtype=torch.int64)
    return torch.nonzero(line_of(whole, whole.dim() + axis) <= 0).flatten()


def _whole(labels: torch.Tensor, line: torch.Tensor) -> bool:
    """Whether the channels of a map are those of what became of it, in order, constants aside."""
    axis = axis_of(labels)
    own = line_of(labels, axis) if axis is not None else labels.flatten()
    return torch.equal(own[own > 0], line[line > 0])


def _by_group(
    tensors: dict[Any, torch.Tensor], group_of: torch.Tensor, number: torch.Tensor
) -> dict[int, dict[Any, Places]]:
    """By group and tensor, the indices whose channel is in the group, and its number there."""
    parts: dict[int, dict[Any, Places]] = defaultdict(dict)
    for name, labels in tensors.items():
        groups = group_of[labels]
        for k in groups[groups >= 0].unique().tolist():
            index = torch.nonzero(groups == k).flatten()
            parts[k][name] = index, number[labels[index]]
    return parts
