"""Products with a graph's weighted adjacency matrix, which is never made."""

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import numpy as np

from pruneexp.topology.convolution import Convolutions
from pruneexp.topology.encoding import Graph, Link, Shape
from pruneexp.topology.strips import Strips


class Placed(NamedTuple):
    """A link with the first node and the shape of its source and its target."""

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
        self.nodes = nodes
        self.product: Strips | Convolutions = Strips(links) if device == "cpu" else Convolutions(links, device)
        ends = [[slice(at, at + prod(shape)) for at, shape in zip(x.first, x.shapes, strict=True)] for x in links]
        self.sides = _sides([(source, target) for source, target in ends], nodes)
        self.ends = np.array([x.first for x in links], dtype=np.int64).reshape(-1, 2)

    def __call__(self, x: np.ndarray, side: bool | None = None) -> np.ndarray:
        """A x, of x float64 [nodes]; with `side`, of the two, at its nodes alone, zero elsewhere."""
        ahead = back = np.ones(len(self.ends), dtype=bool)
        if side is not None and self.sides is not None:
            back, ahead = (self.sides[self.ends] == side).T
        return self.product(np.ascontiguousarray(x), ahead, back)


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
