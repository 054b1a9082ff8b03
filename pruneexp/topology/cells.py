"""What channels are made of on their way: cells, windows of a partition's positions, and lines of their labels."""

from dataclasses import dataclass, replace
from math import prod

import numpy as np
import torch

from pruneexp.topology.relations import Grid, through


@dataclass(frozen=True)
class Cells:
    """What a channel of a partition is made of at some stage: its positions one by one, or windows of them.

    Channel c's cell k is labelled first + c size + k.

    Attributes:
        partition: its number.
        first: the smallest label.
        channels: of the partition.
        grid: rows and columns of cells.
        positions: int64 [n, 2], (cell, position of the partition), cells ascending; None where each cell is the position of its number.
    """

    partition: int
    first: int
    channels: int
    grid: Grid
    positions: np.ndarray | None = None

    @property
    def size(self) -> int:
        return prod(self.grid)

    @property
    def labels(self) -> torch.Tensor:
        """int64 [channels, size]."""
        return torch.arange(self.first, self.first + self.channels * self.size).reshape(self.channels, self.size)

    def read(self, relation: np.ndarray) -> np.ndarray:
        """(position, ...) for each position of the cell of (cell, ...) in `relation`."""
        return relation if self.positions is None else through(self.positions, relation)


@dataclass(frozen=True)
class Lines:
    """Lines of labels of one kind, each of one channel: the part of a line that is of others is left out.

    Attributes:
        cells: the kind.
        lines: int64 [n], which they are, ascending.
        channels: int64 [n].
        patterns: int64 [u, m], the cells along a line, -1 for none.
        which: int64 [n], each line's pattern.
    """

    cells: Cells
    lines: np.ndarray
    channels: np.ndarray
    patterns: np.ndarray
    which: np.ndarray

    @property
    def in_order(self) -> bool:
        """Whether the patterns, one after the other, are all cells in their order."""
        return np.array_equal(self.patterns.ravel(), np.arange(self.cells.size))

    @property
    def divided(self) -> bool:
        """Whether some line is of several channels."""
        return len(np.unique(self.lines)) < len(self.lines)

    def apart(self) -> "Lines":
        """With patterns repeated so that no two lines of one channel have the same one."""
        code = self.channels * len(self.patterns) + self.which
        order = np.argsort(code, kind="stable")
        again = np.empty_like(order)
        again[order] = np.arange(len(order)) - np.searchsorted(code[order], code[order])
        patterns = np.tile(self.patterns, (int(again.max()) + 1, 1))
        return replace(self, patterns=patterns, which=self.which + again * len(self.patterns))

    def spread(self, weight: np.ndarray) -> np.ndarray:
        """A weight [o, all lines, s] as [o, channels, u s]: columns at their lines' channels and patterns, zeros elsewhere."""
        out, _, entries = weight.shape
        shape, place = (self.cells.channels, len(self.patterns)), self.channels * len(self.patterns) + self.which
        if weight.shape[1] == prod(shape) and np.array_equal(place, np.arange(prod(shape))):
            return weight.reshape(out, shape[0], -1)
        whole = np.zeros((out, prod(shape), entries))
        whole[:, place] = weight[:, self.lines]
        return whole.reshape(out, shape[0], -1)
