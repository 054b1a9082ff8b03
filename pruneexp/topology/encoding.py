"""The unrolled multipartite graph of a network: partitions of nodes, and links that stand for many edges at once."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

Shape = tuple[int, int, int]  # channels, height, width
Relation = np.ndarray  # int64 [n, 3]: (source position, kernel index, target position) along one axis


@dataclass(frozen=True)
class Link:
    """The edges that one layer, or an identity skip, draws from one partition to another.

    The node (c, y, x) of the source has an edge to (o, y', x') of the target for every kernel entry (o, c, i, j) that is kept with
    (y, i, y') in `rows` and (x, j, x') in `columns`. Strides, padding, dilation and the windows of pooling are all in the two
    relations; a linear layer is a kernel as large as its input.

    Attributes:
        name: of the weight; of edges without weights, "<what> <source>-<target>": skip, sum, product, query, key, value.
        source, target: numbers of the partitions.
        weight: float64 [C_out, C_in, K_h, K_w], absolute values; zero is no edge.
        rows, columns: the relations.
    """

    name: str
    source: int
    target: int
    weight: np.ndarray
    rows: Relation
    columns: Relation

    @cached_property
    def kept(self) -> np.ndarray:
        """The weight's nonzeros as float64 ones and zeros, same shape."""
        return (self.weight != 0).astype(np.float64)

    @cached_property
    def edges(self) -> int:
        return round(
            float(np.einsum("ij,i,j->", self.kept.sum((0, 1)), self._uses(self.rows, 2), self._uses(self.columns, 3)))
        )

    @property
    def total(self) -> float:
        """The edges' weights, summed."""
        return float(
            np.einsum("ij,i,j->", self.weight.sum((0, 1)), self._uses(self.rows, 2), self._uses(self.columns, 3))
        )

    def _uses(self, relation: Relation, axis: int) -> np.ndarray:
        """How often each kernel index occurs in a relation."""
        return np.bincount(relation[:, 1], minlength=self.weight.shape[axis]).astype(np.float64)

    def degrees(self, values: np.ndarray, shape: tuple[int, int, int], outgoing: bool) -> np.ndarray:
        """Sums over the edges at each node of one end: float64 [C, H, W] of the source (outgoing) or the target.

        Args:
            values: `kept` for degrees, `weight` for weighted ones.
            shape: of the partition at that end.
        """
        place = 0 if outgoing else 2
        rows, columns = (
            _counts(relation, place, size, kernel)
            for relation, size, kernel in zip((self.rows, self.columns), shape[1:], self.weight.shape[2:], strict=True)
        )
        return np.einsum("cij,yi,xj->cyx", values.sum(0 if outgoing else 1), rows, columns, optimize=True)


def _counts(relation: Relation, place: int, size: int, kernel: int) -> np.ndarray:
    """float64 [size, kernel]: how often a position at one end meets a kernel index."""
    counts = np.zeros((size, kernel))
    np.add.at(counts, (relation[:, place], relation[:, 1]), 1.0)
    return counts


@dataclass(frozen=True)
class Graph:
    """A network's multipartite graph; node (c, y, x) of partition p has number offsets[p] + (c H + y) W + x.

    Attributes:
        shapes: (C, H, W) of each partition, (units, 1, 1) of a linear layer's; the first is the input.
        links: its edges.
        outputs: numbers of the outputs' partitions, by default the last.
    """

    shapes: list[tuple[int, int, int]]
    links: list[Link] = field(default_factory=list)
    outputs: tuple[int, ...] = (-1,)

    @cached_property
    def offsets(self) -> np.ndarray:
        """int64 [partitions + 1]."""
        return np.concatenate([[0], np.cumsum([np.prod(shape) for shape in self.shapes])]).astype(np.int64)

    @property
    def nodes(self) -> int:
        return int(self.offsets[-1])

    @property
    def last(self) -> np.ndarray:
        """int64, the outputs' nodes."""
        ends = [partition % len(self.shapes) for partition in self.outputs]
        return np.concatenate([np.arange(self.offsets[end], self.offsets[end + 1]) for end in ends])

    @property
    def edges(self) -> int:
        return sum(link.edges for link in self.links)

    def degrees(self, outgoing: bool, weighted: bool = False) -> np.ndarray:
        """float64 [nodes]: out- or in-degrees, of edges or of their weights."""
        result = np.zeros(self.nodes)
        for link in self.links:
            end = link.source if outgoing else link.target
            part = link.degrees(link.weight if weighted else link.kept, self.shapes[end], outgoing)
            result[self.offsets[end] : self.offsets[end + 1]] += part.ravel()
        return result if weighted else np.rint(result)
