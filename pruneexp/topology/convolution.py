"""Products with a graph's adjacency matrix by small dense products: on a GPU."""

from collections.abc import Sequence
from math import prod

import numpy as np
import torch

from pruneexp.topology.encoding import Link, Shape


class Convolutions:
    """The edges of links, as `Strips` has them, on a device.

    Args:
        links: each with the first nodes and the shapes [C, H, W] of its source and its target.
        device: of the products.
    """

    def __init__(self, links: Sequence[tuple[Link, tuple[int, int], tuple[Shape, Shape]]], device: str) -> None:
        self.device = device
        self.steps = []
        for link, first, shapes in links:
            source, target = (slice(at, at + prod(shape)) for at, shape in zip(first, shapes, strict=True))
            self.steps.append((source, target, _Convolution(link, *shapes, device)))

    def __call__(self, x: np.ndarray, ahead: np.ndarray, back: np.ndarray) -> np.ndarray:
        """What the edges bring of x, float64 [nodes]: of the links `ahead` to targets, of those `back` to sources, bool [links]."""
        values = torch.from_numpy(x).to(self.device)
        result = torch.zeros_like(values)
        for (source, target, step), forward, backward in zip(self.steps, ahead, back, strict=True):
            if forward:
                step.forward(values[source], result[target])
            if backward:
                step.backward(values[target], result[source])
        return np.asarray(result.cpu().numpy())


class _Convolution:
    """One link's edges as matrices.

    The source's rows are spread over the kernel by the rows' relation, then its columns, then the weight contracts channels and kernel.
    Each is a small dense product, whatever strides, padding and pools there are.

    Args:
        link: the edges.
        source, target: [C, H, W] of both ends.
        device: of the products.
    """

    def __init__(self, link: Link, source: Shape, target: Shape, device: str) -> None:
        self.source, self.target = source, target
        self.weight = torch.from_numpy(link.weight).to(device)
        self.rows, self.columns = (
            _spread(relation, before, kernel, after, device)
            for relation, before, kernel, after in zip(
                (link.rows, link.columns), source[1:], link.weight.shape[2:], target[1:], strict=True
            )
        )

    def forward(self, x: torch.Tensor, result: torch.Tensor) -> None:
        """Adds what the edges bring from the source's x, float64 [C H W], to the target's result."""
        values, ahead = x.reshape(self.source), result.view(self.target)
        for i in range(self.weight.shape[2]):
            # [C, H', W]: rows first, once for all columns of the kernel
            down = torch.einsum("cyx,zy->czx", values, self.rows[i])
            for j in range(self.weight.shape[3]):
                spread = (down @ self.columns[j].T).flatten(1)
                ahead += torch.einsum("oc,cp->op", self.weight[:, :, i, j], spread).view(self.target)

    def backward(self, x: torch.Tensor, result: torch.Tensor) -> None:
        """Adds what the edges, turned round, bring from the target's x to the source's result."""
        values, back = x.reshape(self.target), result.view(self.source)
        for i in range(self.weight.shape[2]):
            up = torch.einsum("czx,zy->cyx", values, self.rows[i])
            for j in range(self.weight.shape[3]):
                spread = (up @ self.columns[j]).flatten(1)
                back += torch.einsum("oc,op->cp", self.weight[:, :, i, j], spread).view(self.source)


def _spread(relation: np.ndarray, before: int, kernel: int, after: int, device: str) -> torch.Tensor:
    """float64 [kernel, after, before]: how often position y leads to y' through the kernel's index."""
    result = torch.zeros(kernel, after, before, dtype=torch.float64)
    for y, k, z in relation.tolist():
        result[k, z, y] += 1
    return result.to(device)
