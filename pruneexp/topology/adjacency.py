"""Products with a graph's weighted adjacency matrix, which is never made."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch

from pruneexp.topology.convolution import Convolution
from pruneexp.topology.encoding import Graph, Link
from pruneexp.topology.strips import Shape, Strips


@dataclass(frozen=True)
class Placed:
    """A link with the first node and the shape of each of its ends."""

    link: Link
    first: tuple[int, int]
    shapes: tuple[Shape, Shape]


def placed(graph: Graph) -> list[Placed]:
    """A graph's links where its partitions are."""
    pairs = [(link.source, link.target) for link in graph.links]
    return [
        Placed(link, (int(graph.offsets[a]), int(graph.offsets[b])), (graph.shapes[a], graph.shapes[b]))
        for link, (a, b) in zip(graph.links, pairs, strict=True)
    ]


class Adjacency:
    """The undirected weighted adjacency matrix A by its products with vectors, float64.

    Args:
        links: their edges, each both ways.
        nodes: how many there are.
        device: of the products: cpu, by strips of edges, or cuda, by dense ones.

    Attributes:
        sides: bool [nodes], the two sides of a graph whose links all lead from one to the other; None where there are none.
    """

    def __init__(self, links: Sequence[Placed], nodes: int, device: str = "cpu") -> None:
        self.nodes, self.device = nodes, device
        self.steps: list[tuple[slice, slice, Any]] = []  # both ends, and what brings values from one to the other
        for one in links:
            ends = [slice(first, first + prod(shape)) for first, shape in zip(one.first, one.shapes, strict=True)]
            on_cpu = device == "cpu"
            step = Strips(one.link, *one.shapes) if on_cpu else Convolution(one.link, *one.shapes, device=device)
            self.steps.append((ends[0], ends[1], step))
        self.sides = _sides([(source, target) for source, target, _ in self.steps], nodes)

    def __call__(self, x: np.ndarray, side: bool | None = None) -> np.ndarray:
        """A x, of x float64 [nodes]; with `side`, of the two, at its nodes alone, zero elsewhere."""
        values: Any = np.ascontiguousarray(x)
        result: Any = np.zeros(self.nodes)
        if self.device != "cpu":
            values, result = (torch.from_numpy(one).to(self.device) for one in (values, result))
        for source, target, step in self.steps:
            if side is None or self._side(target) == side:
                step.forward(values[source], result[target])
            if side is None or self._side(source) == side:
                step.backward(values[target], result[source])
        return np.asarray(result) if self.device == "cpu" else np.asarray(result.cpu().numpy())

    def _side(self, end: slice) -> bool | None:
        return None if self.sides is None else bool(self.sides[end.start])


def _sides(links: Sequence[tuple[slice, slice]], nodes: int) -> np.ndarray | None:
    """One of two sides for each node, such that every link leads from one to the other; None if there are no such sides."""
    side = np.full(nodes, -1, dtype=np.int8)
    left = list(links)
    while left:
        near = [ends for ends in left if any(side[end].max(initial=-1) >= 0 for end in ends)]
        if not near:
            side[left[0][0]] = 0
            continue
        for ends in near:
            for here, there in (ends, ends[::-1]):
                if side[here].min() >= 0 and side[there].max() < 0:
                    side[there] = 1 - side[here][0]
            found = [np.unique(side[end]) for end in ends]
            if [len(one) for one in found] != [1, 1] or found[0] == found[1]:
                return None
        left = [ends for ends in left if ends not in near]
    return side > 0
