"""Products of three matrices of activations, attention among them: whose channels and positions each element comes from."""

from dataclasses import dataclass

import numpy as np
import torch

from pruneexp.network.walk import MIXED
from pruneexp.topology.cells import Cells
from pruneexp.topology.nodes import Nodes


@dataclass(frozen=True)
class Factors:
    """Two matrices of labels whose product is on its way; its element e, in order, is labelled MIXED - 1 - e.

    Attributes:
        left: int64 [n, i, k].
        right: int64 [n, k, j].
    """

    left: torch.Tensor
    right: torch.Tensor

    @staticmethod
    def labels(shape: tuple[int, ...]) -> torch.Tensor:
        """Of a product of that shape."""
        return (MIXED - 1 - torch.arange(torch.Size(shape).numel())).reshape(shape)

    def of(self, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
        """The factors of matrices [m, r, s] that the product's elements have come to lie in; None where rows and columns are no more."""
        place = MIXED - 1 - labels
        one = torch.arange(self.left.shape[1] * self.right.shape[2]).reshape(self.left.shape[1], -1)
        number = place[:, 0, 0] // one.numel()
        within = place - number[:, None, None] * one.numel()
        if bool((place >= 0).all()):
            if within.shape[1:] == one.shape and bool((within == one).all()):
                return self.left[number], self.right[number]
            if within.shape[1:] == one.T.shape and bool((within == one.T).all()):
                return self.right[number].mT, self.left[number].mT
        return None


@dataclass(frozen=True)
class _Axes:
    """Matrices of labels as channels along one axis and cells along the other; -1 where there are none.

    Attributes:
        along: the axis of channels, 0 or 1.
        channels: int64 [n, its length].
        positions: int64 [n, the other's length].
    """

    cells: Cells
    along: int
    channels: np.ndarray
    positions: np.ndarray


def _axes(nodes: Nodes, labels: torch.Tensor) -> list[_Axes] | None:
    """One for each kind of cells; None where an element's channel depends on its row and column both."""
    found = []
    for cells, channel, cell in nodes.of(labels):
        for along in (1, 0):
            channels, positions = channel.max(axis=2 - along), cell.max(axis=1 + along)
            rows, columns = (positions, channels) if along else (channels, positions)
            there = (rows >= 0)[:, :, None] & (columns >= 0)[:, None]
            first, second = (cell, channel) if along else (channel, cell)
            same = (first == rows[:, :, None]) & (second == columns[:, None])
            if np.array_equal(there, cell >= 0) and bool(same[there].all()):
                found.append(_Axes(cells, along, channels, positions))
                break
        else:
            return None
    return found


def draw(
    nodes: Nodes, left: torch.Tensor, middle: torch.Tensor, right: torch.Tensor
) -> tuple[Cells, torch.Tensor] | None:
    """A partition for the products of three matrices of labels [n, ., .]; its labels have the products' shape.

    An element at (i, j) comes from the left one's row i, the right one's column j, and all of the middle one: of attention
    the query at a position, the values of a channel, and all keys of the head. Matrices of the same channels are
    other positions (windows) of one head. None where channels and positions are not rows and columns of each matrix.
    """
    parts = [_axes(nodes, labels) for labels in (left, middle, right)]
    if any(not part for part in parts) or len({one.along for part in (parts[0], parts[2]) for one in part or ()}) != 1:
        return None
    found = [part for part in parts if part]
    along, shape = found[2][0].along, (left.shape[1], right.shape[2])
    signature = np.concatenate([one.channels for part in found for one in part], axis=1)
    _, first, head = np.unique(signature, axis=0, return_index=True, return_inverse=True)
    head = np.argsort(np.argsort(first))[head.reshape(-1)]  # in order of appearance
    heads = [np.flatnonzero(head == k) for k in range(len(first))]
    if len({len(leads) for leads in heads}) != 1:
        return None
    width, tokens, count = shape[along], shape[1 - along], len(heads[0])
    queries = found[0][0]
    ordered = np.array_equal(queries.positions[heads[0]].ravel(), np.arange(queries.cells.size))
    made = nodes.partition(len(heads) * width, queries.cells.grid if ordered else (count * tokens, 1))
    # by head, window, position and channel
    numbers = made.labels.reshape(len(heads), width, count, tokens).permute(0, 2, 3, 1)
    labels = torch.empty(len(left), tokens, width, dtype=torch.int64)
    labels[torch.from_numpy(np.stack(heads))] = numbers
    place = np.arange(count * tokens).reshape(count, tokens)
    for name, own, part in zip(("query ", "key ", "value "), (0, None, 1), found, strict=True):
        for one in part:
            products = []
            for k, leads in enumerate(heads):
                channels = _pairs(k * width + np.arange(width)[None], one.channels[leads[:1]], one.along == own)
                cells = _pairs(place, one.positions[leads], own is not None and one.along != own)
                products.append((channels, cells[:, ::-1]))
            nodes.units(name, one.cells, made, products)
    return made, labels if along else labels.mT


def _pairs(to: np.ndarray, come: np.ndarray, aligned: bool) -> np.ndarray:
    """(to, from) [., 2] of each row [n, .]: element by element, or all with all; without those from nowhere."""
    if not aligned:
        to, come = np.broadcast_arrays(to[:, :, None], come[:, None])
    pairs = np.stack([to, come], axis=-1).reshape(-1, 2)
    return pairs[pairs[:, 1] >= 0]
