"""What operations do to nodes: the analysis of a network's trace that its multipartite graph is made by."""

from collections.abc import Sequence
from math import prod
from typing import ClassVar

import numpy as np
import torch
from torch import fx

from pruneexp.network.constants import Held
from pruneexp.network.operations import Kind
from pruneexp.network.trace import Operation, Trace
from pruneexp.network.walk import MIXED, Map, Walk
from pruneexp.topology.cells import Cells
from pruneexp.topology.layers import dense, grid, slots, windows
from pruneexp.topology.nodes import Nodes
from pruneexp.topology.products import Factors, draw

MOST_ENTRIES = 2**25  # of the weight of a link that leads from positions to channels


class Multipartite(Walk):
    """Numbers nodes; `origin` tells of weights of attention the two factors that they are the product of.

    Args:
        trace: of a plain network.
        weights: absolute values by name, float64.
        skips: draw identity skips.
    """

    what: ClassVar[str] = "the multipartite graph"

    def __init__(self, trace: Trace, weights: dict[str, np.ndarray], skips: bool) -> None:
        super().__init__(trace)
        self.weights, self.skips = weights, skips
        self.nodes = Nodes()
        self.makers: dict[int, fx.Node] = {}
        self.outputs: set[int] = set()

    def entered(self, shape: Sequence[int]) -> Map:
        made = self.nodes.partition(shape[1] if len(shape) > 1 else 1, grid((1, *shape[2:])))
        return Map(made.labels.reshape(tuple(shape)))

    def origin(self, maps: Sequence[Map]) -> Factors | None:
        found = [one.origin for one in maps if one.origin is not None]
        return found[0] if len(found) == 1 else None

    def layer(self, operation: Operation, name: str, x: Map) -> Map:
        if operation.name == "embedding":
            made = self.nodes.partition(operation.shape[-1], grid(operation.shape[:-1]))
            labels = made.labels.mT.reshape(operation.shape)
            self.nodes.joined("embedding ", x.labels[..., None], labels)
            return Map(labels)
        if bool((x.labels < 0).any()):
            raise self.refused(operation, "it reads statistics over channels")
        axis = operation.channels % len(operation.shape)
        if axis == 0 and self.weights[name].ndim > 2:
            raise self.refused(operation, "its input has no batch dimension")
        labels = x.labels.movedim(axis, 0)
        read = [lines.apart() for lines in self.nodes.lines(labels.flatten(1))]
        (weight, kernel), sides = dense(operation, self.weights[name]), self.weights[name].shape[2:]
        entries = max((weight[:, 0].size * len(x.patterns) * x.cells.channels for x in read if x.divided), default=0)
        if entries > MOST_ENTRIES:
            raise self.refused(operation, "it mixes positions, not channels")
        shape = list(operation.shape)
        shape.pop(axis)
        inherits = operation.channels == -1 and read and len(read[0].patterns) == 1 and read[0].in_order
        made = self.nodes.partition(len(weight), read[0].cells.grid if inherits else grid(tuple(shape)))
        self.makers[made.partition] = operation.node
        for lines in read:
            taken = slots(operation, lines.patterns, tuple(labels.shape[1:]), sides)
            pattern, slot, target = np.nonzero(taken >= 0)
            relation = np.column_stack([taken[pattern, slot, target], pattern * prod(kernel) + slot, target])
            each = lines.in_order and lines.patterns.shape[1] == taken[0].size == 1  # a kernel as large as its input
            rows_columns = lines.cells.grid if each else (len(lines.patterns) * kernel[0], kernel[1])
            self.nodes.link(name, lines.cells, made, lines.spread(weight), rows_columns, relation)
        return Map(made.labels.reshape(-1, *shape).movedim(0, axis))

    def pooled(self, operation: Operation, x: Map, dims: tuple[int, ...]) -> Map:
        value = operation.node.meta["val"]
        shape = tuple((value[0] if isinstance(value, (tuple, list)) else value).shape)
        last = sorted(d % x.labels.dim() for d in dims)
        labels = x.labels.movedim(last, tuple(range(-len(last), 0))).flatten(-len(last))
        rest = labels.flatten(0, -2) if labels.dim() > 1 else labels[None]
        read = self.nodes.lines(rest)
        several = np.bincount(np.concatenate([np.zeros(1, np.int64), *(x.lines + 1 for x in read)])).max() > 1
        if several and operation.name == "sum" and not bool((rest < 0).any()):
            return Map(self._own(operation, rest[:, :1], [rest])[:, 0].reshape(shape))
        if several or bool((rest < 0).any()):
            return Map(torch.full(shape, MIXED))
        if operation.kind is Kind.POOL:
            before, after = (tuple(s[d] for d in last) for s in (x.labels.shape, shape))
            pairs, sides = windows(operation, before, after), grid((1, *after))
        else:
            pairs, sides = np.column_stack([np.arange(rest.shape[1]), np.zeros(rest.shape[1], np.int64)]), (1, 1)
        made = torch.zeros(len(rest), prod(sides), dtype=torch.int64)
        if made.numel() != prod(shape):
            raise self.refused(operation)
        for lines in read:
            cell = lines.patterns[:, pairs[:, 0]]
            after_cell = np.arange(len(cell))[:, None] * prod(sides) + pairs[:, 1]
            window = np.column_stack([cell[cell >= 0], after_cell[cell >= 0]])
            cells = self.nodes.windows(lines.cells, window, (len(cell) * sides[0], sides[1]))
            first = cells.first + lines.channels * cells.size + lines.which * prod(sides)
            made[torch.from_numpy(lines.lines)] = torch.from_numpy(first[:, None] + np.arange(prod(sides)))
        return Map(made.reshape(shape))

    def met(self, operation: Operation, maps: list[Map]) -> Map:
        labels = [one.labels for one in maps]
        whole, apart = labels[0], torch.zeros(operation.shape, dtype=torch.bool)
        for other in labels[1:]:
            apart = apart | ((whole != other) & (whole > 0) & (other > 0))
            whole = torch.where((whole > 0) | ((other <= 0) & (whole < other)), whole, other)
        if not bool(apart.any()):  # an activation written out, or something is added to constants
            return Map(whole)
        found = self._summed(operation, labels) if operation.kind is Kind.ADD and len(maps) == 2 else None
        if found is not None:
            return Map(found)
        finest = max(labels, key=lambda one: len(one.unique()))
        like = torch.where(apart, torch.where(finest > 0, finest, whole), 0)
        own = self._own(operation, like, [torch.where(apart, one, 0) for one in labels])
        return Map(torch.where(apart, own, whole))

    def _own(self, operation: Operation, like: torch.Tensor, terms: list[torch.Tensor]) -> torch.Tensor:
        """The labels of a partition for what an operation makes of terms, element by element."""
        own = self.nodes.like(like)
        if own is None:
            raise self.refused(operation, "its channels are at different positions")
        self.makers[own[0].partition] = operation.node
        for one in terms:
            self.nodes.joined(
                "sum " if operation.kind is Kind.ADD or operation.name == "sum" else "product ", one, own[1]
            )
        return own[1]

    def _summed(self, operation: Operation, terms: list[torch.Tensor]) -> torch.Tensor | None:
        """A sum in the partition of one of its terms, where the two are two layers' outputs or one is added to what comes later."""
        nodes = [node for node in operation.node.all_input_nodes if isinstance(self.at[node], Map)]
        nodes = [node for node in nodes if self.at[node].labelled]
        early, late = sorted((0, 1), key=lambda k: self.nodes.latest(terms[k]))
        wholes = [self.nodes.whole(one) for one in terms]
        alone = [
            cells if cells and self._alone(node, cells) else None for node, cells in zip(nodes, wholes, strict=True)
        ]
        mine, other = alone[late], alone[early]
        if mine is None:
            return None
        if other is not None:
            alike = mine.grid == other.grid and torch.equal(terms[late] - mine.first, terms[early] - other.first)
            if not alike:
                return None
            self.nodes.merge(mine, other)
            self.makers[other.partition] = operation.node
            return terms[early]
        if self.skips:
            self.nodes.joined("skip ", terms[early], terms[late])
        self.makers[mine.partition] = operation.node
        return terms[late]

    def _alone(self, node: fx.Node, cells: Cells) -> bool:
        """Whether what the node gives of a partition goes nowhere else than into its one user."""
        maker = self.makers.get(cells.partition)
        while node is not maker and len(node.users) == 1:
            read = [one for one in node.all_input_nodes if not isinstance(self.at[one], Held)]
            if len(read) != 1:
                return False
            node = read[0]
        return node is maker and len(node.users) == 1

    def product(self, operation: Operation, a: Map, b: Map) -> Map:
        if min(a.labels.dim(), b.labels.dim()) < 2:
            raise self.refused(operation, "it mixes channels by activations")
        left, right = (_matrices(x.labels, operation.shape[:-2]) for x in (a, b))
        if a.labelled and b.labelled:
            return Map(Factors.labels(operation.shape), Factors(left, right))
        factors = (a if b.labelled else b).origin
        pair = factors.of(left if b.labelled else right) if isinstance(factors, Factors) else None
        if pair is None:
            raise self.refused(operation, "it mixes channels by activations")
        return self._drawn(operation, *((*pair, right) if b.labelled else (left, *pair)))

    def attended(self, operation: Operation, query: Map, key: Map, value: Map) -> Map:
        q, k, v = (_matrices(x.labels, operation.shape[:-2]) for x in (query, key, value))
        return self._drawn(operation, q, k.mT, v)

    def _drawn(self, operation: Operation, left: torch.Tensor, middle: torch.Tensor, right: torch.Tensor) -> Map:
        drawn = draw(self.nodes, left, middle, right)
        if drawn is None:
            raise self.refused(operation, "it mixes channels by activations")
        self.makers[drawn[0].partition] = operation.node
        return Map(drawn[1].reshape(operation.shape))

    def left(self, x: Map) -> None:
        self.outputs |= {cells.partition for cells, *_ in self.nodes.of(x.labels)}


def _matrices(labels: torch.Tensor, lead: tuple[int, ...]) -> torch.Tensor:
    """[n, ., .] of matrices broadcast to leading dimensions; heads that share keys and values have them each."""
    if lead and labels.dim() > 2 and labels.shape[-3] not in (1, lead[-1]):
        labels = labels.repeat_interleave(lead[-1] // labels.shape[-3], -3)
    return labels.expand(*lead, *labels.shape[-2:]).reshape(-1, *labels.shape[-2:])
