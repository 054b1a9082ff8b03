"""The nodes of a network's graph as labels, and the links between them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from pruneexp.topology.cells import Cells, Lines
from pruneexp.topology.encoding import Graph, Link, Relation
from pruneexp.topology.relations import Grid, alike, separated, sets

TRIVIAL = np.zeros((1, 3), dtype=np.int64)


@dataclass(frozen=True)
class _Flat:
    """A link whose positions and kernel indices are numbered row after row; `relation` is (position, kernel index, target position)."""

    name: str
    source: int
    target: int
    weight: np.ndarray
    kernel: Grid
    relation: Relation


class Nodes:
    """Partitions, the cells that channels pass through, and links, as they are found."""

    def __init__(self) -> None:
        self.partitions: list[Cells] = []
        self.cells: list[Cells] = []
        self.links: list[_Flat] = []
        self.merged: set[int] = set()

    def partition(self, channels: int, grid: Grid) -> Cells:
        """A new partition's nodes."""
        made = self._numbered(Cells(len(self.partitions), 0, channels, grid))
        self.partitions.append(made)
        return made

    def windows(self, cells: Cells, windows: np.ndarray, grid: Grid) -> Cells:
        """Cells made of others: `windows` is (cell, new cell)."""
        positions = cells.read(windows)[:, ::-1]
        positions = positions[np.argsort(positions[:, 0], kind="stable")]
        return self._numbered(replace(cells, grid=grid, positions=positions))

    def _numbered(self, cells: Cells) -> Cells:
        first = self.cells[-1].first + self.cells[-1].channels * self.cells[-1].size if self.cells else 1
        self.cells.append(replace(cells, first=first))
        return self.cells[-1]

    def of(self, labels: torch.Tensor | np.ndarray) -> Iterator[tuple[Cells, np.ndarray, np.ndarray]]:
        """Each kind of cells among labels, with channel and cell of those that are of the kind, -1 at the others."""
        labels = np.asarray(labels)
        which = np.searchsorted([cells.first for cells in self.cells], labels, side="right") - 1
        for kind in np.unique(which[which >= 0]):
            channel, cell = np.divmod(labels - self.cells[kind].first, self.cells[kind].size)
            here = which == kind
            yield self.cells[kind], np.where(here, channel, -1), np.where(here, cell, -1)

    def lines(self, labels: torch.Tensor) -> list[Lines]:
        """The lines of a matrix of labels [n, m], kind by kind; one of several channels is there once for each."""
        found = []
        for cells, channel, cell in self.of(labels):
            lines = np.flatnonzero((cell >= 0).any(axis=1))
            channels = channel[lines].max(axis=1)
            if not ((channel[lines] == channels[:, None]) | (channel[lines] < 0)).all():
                line, place = np.nonzero(cell >= 0)
                lines, channels = np.divmod(np.unique(line * cells.channels + channel[line, place]), cells.channels)
                cell = np.where(channel[lines] == channels[:, None], cell[lines], -1)
            else:
                cell = cell[lines]
            found.append(Lines(cells, lines, channels, *alike(cell)))
        return found

    def like(self, labels: torch.Tensor) -> tuple[Cells, torch.Tensor] | None:
        """A new partition, with a channel for each of the labels' and a position for each of its elements, and its labels in their places.

        None where channels have not as many elements each.
        """
        flat = labels.flatten()
        keys, first = np.zeros(len(flat), dtype=np.int64), None
        for cells, channel, cell in self.of(flat):
            here = channel >= 0
            keys[here] = cells.first + channel[here] * cells.size
            first = first or (cells, cell[channel == channel[here].min()])
        order = np.argsort(keys, kind="stable")[np.count_nonzero(keys == 0) :]
        count = np.unique(keys[order], return_counts=True)[1]
        if first is None or (count != count[0]).any():
            return None
        ordered = np.array_equal(first[1], np.arange(first[0].size))
        made = self.partition(len(count), first[0].grid if ordered else (int(count[0]), 1))
        result = torch.zeros_like(flat)
        result[torch.from_numpy(order)] = made.labels.flatten()
        return made, result.reshape(labels.shape)

    def link(self, name: str, source: Cells, target: Cells, weight: np.ndarray, kernel: Grid, cells: Relation) -> None:
        """Edges of the kernel's entries; `cells` is (cell, kernel index, target position), `weight` float64 [C_out, C_in, entries]."""
        self.links.append(_Flat(name, source.partition, target.partition, weight, kernel, source.read(cells)))

    def units(self, name: str, source: Cells, target: Cells, products: Iterable[tuple[np.ndarray, np.ndarray]]) -> None:
        """Edges of weight 1: products of (target channel, source channel) and (cell, target position)."""
        slots: dict[bytes, tuple[list[np.ndarray], np.ndarray]] = {}
        for channels, positions in products:
            slots.setdefault(positions.tobytes(), ([], positions))[0].append(channels)
        weight = np.zeros((target.channels, source.channels, len(slots)))
        relations = []
        for k, (pairs, positions) in enumerate(slots.values()):
            out, into = np.concatenate(pairs).T
            weight[out, into, k] = 1
            relations.append(np.insert(positions, 1, k, axis=1))
        self.link(name, source, target, weight, (len(slots), 1), np.concatenate(relations))

    def joined(self, name: str, source: torch.Tensor, target: torch.Tensor) -> None:
        """Edges of weight 1 from each element to the other tensor's at its place (after broadcasting), where both are nodes."""
        source, target = torch.broadcast_tensors(source, target)
        both = (source > 0) & (target > 0)
        if not bool(both.any()):
            return
        ((end, out, position),) = self.of(target[both])
        for cells, channel, cell in self.of(source[both]):
            here = channel >= 0
            keys, members = out[here] * cells.channels + channel[here], position[here] * cells.size + cell[here]
            products = []
            for pairs, places in sets(keys, members):
                at, cell_there = np.divmod(places, cells.size)
                products.append((np.column_stack(np.divmod(pairs, cells.channels)), np.column_stack([cell_there, at])))
            self.units(name, cells, end, products)

    def latest(self, labels: torch.Tensor) -> int:
        """The number of the last partition that any of the labels is of."""
        return max(cells.partition for cells, *_ in self.of(labels))

    def whole(self, labels: torch.Tensor) -> Cells | None:
        """The partition all of whose nodes, and nothing else, the labels are, in any order."""
        ordered = labels.flatten().sort().values
        for cells in self.partitions:
            if cells.first == int(ordered[0]) and torch.equal(ordered, cells.labels.flatten()):
                return cells
        return None

    def merge(self, late: Cells, early: Cells) -> None:
        """What leads to a partition leads to an earlier one of its shape instead; nothing has left it."""
        self.merged.add(late.partition)
        self.links = [
            replace(link, target=early.partition) if link.target == late.partition else link for link in self.links
        ]

    def graph(self, outputs: Iterable[int]) -> Graph:
        """All of it: rows apart from columns if every link can be written so, else with positions in one row."""
        kept = [cells for cells in self.partitions if cells.partition not in self.merged]
        number = {cells.partition: k for k, cells in enumerate(kept)}
        grids = {cells.partition: cells.grid for cells in kept}
        parts = [separated(x.relation, grids[x.source], x.kernel, grids[x.target]) for x in self.links]
        flat = any(part is None for part in parts)
        links = []
        for link, part in zip(self.links, parts, strict=True):
            source, target = number[link.source], number[link.target]
            name = f"{link.name}{source}-{target}" if link.name.endswith(" ") else link.name
            rows, columns = (link.relation, TRIVIAL) if flat or part is None else part
            kernel = (link.weight.shape[2], 1) if flat else link.kernel
            weight = link.weight.reshape(*link.weight.shape[:2], *kernel)
            links.append(Link(name, source, target, weight, rows, columns))
        shapes = [(x.channels, x.size, 1) if flat else (x.channels, *x.grid) for x in kept]
        return Graph(shapes, links, tuple(sorted({number[x] for x in outputs})))
