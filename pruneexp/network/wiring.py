"""How a network's layers join: which channels are one vertex of its graph.

A channel is one vertex: what a layer puts out and the next one takes in are the same vertices, through normalisation,
activations, pooling, flattening, and wherever a network moves them. Where two branches are added, or one scales the
other, their channels are one vertex each - except for an identity skip, which joins channels without a weight (see `Wiring.skips`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import nn

from pruneexp.network.prunable import outputs_first
from pruneexp.network.trace import Operation, Trace, traced
from pruneexp.network.walk import MIXED, Map, Walk, collapsed, constant_along


@dataclass(frozen=True)
class Wiring:
    """The vertices that each layer's weights join.

    Attributes:
        vertices: their number.
        sources: by weight name, the vertex of each weight's input, int64 broadcastable to [C_out, C_in / groups].
        targets: by weight name, the vertex of each output, int64 [C_out].
        skips: pairs of int64 tensors of the same length: channels joined by an identity skip.
        unused: names of weights that the network does not use; their vertices are no other layer's.
    """

    vertices: int
    sources: dict[str, torch.Tensor]
    targets: dict[str, torch.Tensor]
    skips: list[tuple[torch.Tensor, torch.Tensor]]
    unused: frozenset[str] = frozenset()

    def identified(self) -> "Wiring":
        """The wiring in which channels joined by an identity skip are one vertex."""
        return _merge(self.vertices, self.sources, self.targets, self.skips, [], self.unused)


@dataclass(frozen=True)
class Origin:
    """The layers that put channels out, and those passed on the way, the makers included."""

    makers: frozenset[str] = frozenset()
    upstream: frozenset[str] = frozenset()


class Channels(Walk):
    """Numbers channels: the outputs of a layer, and of an input each element, until a layer reads some as one channel."""

    what: ClassVar[str] = "the channel graph"

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)
        self.vertices = 1  # 0 is what is constant
        self.given = 1  # those below are inputs
        self.sources: dict[str, torch.Tensor] = {}
        self.targets: dict[str, torch.Tensor] = {}
        self.skips: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.merged: list[tuple[torch.Tensor, torch.Tensor]] = []

    def new(self, count: int) -> torch.Tensor:
        self.vertices += count
        return torch.arange(self.vertices - count, self.vertices)

    def entered(self, shape: Sequence[int]) -> Map:
        made = Map(self.new(torch.Size(shape).numel()).reshape(tuple(shape)), Origin())
        self.given = self.vertices
        return made

    def origin(self, maps: Sequence[Map]) -> Origin:
        parts = [one.origin for one in maps]
        return Origin(frozenset().union(*(o.makers for o in parts)), frozenset().union(*(o.upstream for o in parts)))

    def one(self, labels: torch.Tensor, dims: Sequence[int]) -> torch.Tensor | None:
        """The channel of each line along `dims`; elements of an input become one, other channels that differ give None."""
        top = constant_along(labels, dims)
        if top is None and int(labels.max()) < self.given:
            top = labels.amax(tuple(dims), keepdim=True)
            self.same(labels, top.expand(labels.shape))
        return top

    def same(self, a: torch.Tensor, b: torch.Tensor) -> None:
        """These channels are one vertex each."""
        pairs = _pairs(a, b)
        if len(pairs):
            self.merged.append((pairs[:, 0], pairs[:, 1]))

    def met(self, operation: Operation, maps: list[Map]) -> Map:
        scales = [any(self._spread(one.labels, other.labels) for other in maps) for one in maps]
        if not all(scales):
            self.spread([one for one, alone in zip(maps, scales, strict=True) if alone])
            joined = [one for one, alone in zip(maps, scales, strict=True) if not alone]
        else:  # each by each: all are one
            joined = maps
        result = joined[0]
        for other in joined[1:]:
            result = self._join(result, other)
        return replace(result, origin=Origin(result.origin.makers, self.origin(maps).upstream))

    def spread(self, maps: Sequence[Map]) -> None:
        """One channel of these met many of another map (a gate for each position, say): as statistics do, it joins none."""

    def _spread(self, one: torch.Tensor, other: torch.Tensor) -> bool:
        """Whether the one is a single channel, repeated along a dimension along which the other has several."""
        first, rest = collapsed(other)[0], collapsed(one)[0]
        return len(rest[rest > 0].unique()) == 1 and any(
            rest.shape[d] == 1
            and n > 1
            and bool(((first != first.amax(d, keepdim=True)) & (first >= self.given)).any())
            for d, n in enumerate(first.shape)
        )

    def _join(self, a: Map, b: Map) -> Map:
        origin = self.origin([a, b])
        for early, late in ((a, b), (b, a)):
            if (
                early.origin.makers <= late.origin.upstream - late.origin.makers
            ):  # from before the other's last layer: an identity skip
                pairs = _pairs(early.labels, late.labels)
                if len(pairs):
                    self.skips.append((pairs[:, 0], pairs[:, 1]))
                return Map(_first(late.labels, early.labels), Origin(late.origin.makers, origin.upstream))
        self.same(a.labels, b.labels)
        return Map(_first(a.labels, b.labels), origin)

    def pooled(self, operation: Operation, x: Map, dims: tuple[int, ...]) -> Map:
        value = operation.node.meta["val"]
        shape = tuple((value[0] if isinstance(value, (tuple, list)) else value).shape)
        top = self.one(x.labels, dims)
        if top is None:
            return Map(torch.full(shape, MIXED), x.origin)
        if len(shape) < top.dim():  # reduced without keeping the dimensions
            top = top.squeeze(tuple(dims))
        return Map(top.expand(shape), x.origin)

    def layer(self, operation: Operation, name: str, x: Map) -> Map:
        weight, groups = self.trace.weights[name], int(operation.named.get("groups", 1))
        axis = operation.channels
        if operation.name == "embedding":
            found, out = self.new(weight.shape[0]), weight.shape[1]
        else:
            labels = x.labels.movedim(axis, -1)
            top = self.one(labels, range(labels.dim() - 1))
            if top is None:
                top = self._side_by_side(labels.flatten(0, -2))
            if top is None:
                raise self.refused(operation, "it mixes positions, not channels")
            found = top.flatten().clone()
            if bool((found == MIXED).any()):
                raise self.refused(operation, "it reads statistics over channels")
            found[found == 0] = self.new(int((found == 0).sum()))
            out = weight.shape[1] * groups if operation.transposed else weight.shape[0]
        inputs = found.reshape(groups, -1)
        sources = inputs.repeat_interleave(out // groups, dim=0) if groups > 1 else inputs
        targets = self.new(out)
        if name in self.targets:  # used again: the same weights join the same vertices
            self.same(sources, self.sources[name])
            self.same(targets, self.targets[name])
        else:
            self.sources[name], self.targets[name] = sources, targets
        shape = [1] * len(operation.shape)
        shape[axis] = out
        return Map(
            targets.reshape(shape).expand(operation.shape), Origin(frozenset([name]), x.origin.upstream | {name})
        )

    def _side_by_side(self, labels: torch.Tensor) -> torch.Tensor | None:
        """The channels of positions [positions, features] that come from several maps: those of one feature are one vertex."""
        feature = torch.arange(labels.shape[1]).expand(labels.shape)
        pairs = torch.stack([labels[labels > 0], feature[labels > 0]], dim=1).unique(dim=0)
        if len(pairs) > len(pairs[:, 0].unique()):  # one channel at several features: what is mixed are positions
            return None
        top = labels.amax(0)
        self.same(labels, top)
        return top

    def product(self, operation: Operation, a: Map, b: Map) -> Map:
        if a.labelled and b.labelled:
            left, right = self.one(a.labels, [-2]), self.one(b.labels, [-1])
            if left is None or right is None:
                raise self.refused(operation, "it mixes channels by each other")
            left, right = torch.broadcast_tensors(left.transpose(-1, -2), right)
            self.same(left, right)
            return Map(torch.full(operation.shape, MIXED), self.origin([a, b]))
        x, dim = (b, -2) if b.labelled else (a, -1)
        top = self.one(x.labels, [dim])
        if top is None:
            raise self.refused(operation, "it mixes channels by activations")
        return Map(top.expand(operation.shape), x.origin)

    def attended(self, operation: Operation, query: Map, key: Map, value: Map) -> Map:
        self.product(operation, query, Map(key.labels.transpose(-1, -2), key.origin))
        top = self.one(value.labels, [-2])
        if top is None:
            raise self.refused(operation, "it mixes channels by activations")
        return Map(top.expand(operation.shape), value.origin)

    def left(self, x: Map) -> None:
        pass

    def wiring(self) -> Wiring:
        """All of it, with vertices of their own for weights that the network does not use."""
        unused = frozenset(self.trace.places.keys() - self.targets.keys())
        for name in sorted(unused):
            place = self.trace.places[name]
            out, into = outputs_first(place.module, place.weight).shape[:2]
            self.sources[name], self.targets[name] = self.new(into)[None], self.new(out)
        names = list(self.trace.weights)
        sources, targets = ({name: part[name] for name in names} for part in (self.sources, self.targets))
        return _merge(self.vertices, sources, targets, self.merged, self.skips, unused)


def wiring_of(model: nn.Module, input_shape: tuple[int, ...] | None = None) -> Wiring:
    """The wiring of a network.

    Args:
        model: a plain network.
        input_shape: of one input; None: as for `traced`.

    Raises:
        UserError: the network cannot be traced, or does something that the channel graph has no meaning for.
    """
    return wiring_in(traced(model, input_shape))


def wiring_in(trace: Trace) -> Wiring:
    """What `wiring_of` gives, of a network that is traced already."""
    channels = Channels(trace)
    channels.follow()
    return channels.wiring()


def _first(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The labels of the one, and where it has none, of the other."""
    some, other = collapsed(a, b)
    return torch.where(some > 0, some, other).expand(a.shape)


def _pairs(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The different pairs of channels [n, 2] at the same places of two tensors of labels."""
    a, b = collapsed(*torch.broadcast_tensors(a, b))
    apart = (a > 0) & (b > 0) & (a != b)
    return torch.stack([a[apart], b[apart]], dim=1).unique(dim=0)


def _merge(
    vertices: int,
    sources: dict[str, torch.Tensor],
    targets: dict[str, torch.Tensor],
    same: list[tuple[torch.Tensor, torch.Tensor]],
    skips: list[tuple[torch.Tensor, torch.Tensor]],
    unused: frozenset[str],
) -> Wiring:
    """A wiring in which the paired vertices are one, numbered without gaps in order of first appearance."""
    label = classes(vertices, same)
    used = torch.cat(
        [label[part].ravel() for part in (*sources.values(), *targets.values(), *(v for pair in skips for v in pair))]
    ).unique()
    to = torch.searchsorted(used, label).clamp_(max=max(len(used) - 1, 0))
    return Wiring(
        len(used),
        {name: to[index] for name, index in sources.items()},
        {name: to[index] for name, index in targets.items()},
        [(to[one], to[other]) for one, other in skips],
        unused,
    )


def classes(vertices: int, same: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    """The class of each vertex, int64 [vertices], where the paired ones are in one class."""
    import scipy.sparse as sp
    from scipy.sparse.csgraph import connected_components

    a = torch.cat([torch.empty(0, dtype=torch.int64), *(pair[0] for pair in same)])
    b = torch.cat([torch.empty(0, dtype=torch.int64), *(pair[1] for pair in same)])
    graph = sp.coo_array(
        (torch.ones(len(a), dtype=torch.float64).numpy(), (a.numpy(), b.numpy())), shape=(vertices, vertices)
    )
    return torch.from_numpy(connected_components(graph, directed=False)[1]).long()
