"""Which of its inputs a layer or a pool reads where, by running the operation itself on numbered inputs."""

from math import prod

import numpy as np
import torch

from pruneexp.network.trace import Operation
from pruneexp.topology.relations import Grid


def grid(shape: tuple[int, ...]) -> Grid:
    """Rows and columns of positions: of a batch of one, its first dimension and all others."""
    sides = shape[1:] if shape[:1] == (1,) else shape
    return (sides[0], prod(sides[1:])) if sides else (1, 1)


def dense(operation: Operation, weight: np.ndarray) -> tuple[np.ndarray, Grid]:
    """A layer's weight as [outputs, inputs, entries of the kernel], and the kernel's rows and columns; zeros between groups."""
    kernel, groups = weight.shape[2:], int(operation.named.get("groups", 1))
    parts = weight.reshape(groups, weight.shape[0] // groups, weight.shape[1], -1)
    if operation.transposed:
        parts = parts.swapaxes(1, 2)
    _, out, into, entries = parts.shape
    if groups == 1:
        return parts[0], grid((1, *kernel))
    whole = np.zeros((groups, out, groups, into, entries))
    each = np.arange(groups)
    whole[each, :, each] = parts
    return whole.reshape(groups * out, groups * into, entries), grid((1, *kernel))


def slots(operation: Operation, numbers: np.ndarray, places: tuple[int, ...], kernel: tuple[int, ...]) -> np.ndarray:
    """What a layer reads of one input channel, by the kernel's entry and the output's position.

    A convolution that writes what each entry of the kernel meets into a channel of its own is the operation itself with unit weights.

    Args:
        operation: the layer.
        numbers: int64 [u, positions], -1 for nothing, of channels one by one.
        places: the shape of the positions, the batch first.
        kernel: its sides, () of a linear layer.

    Returns:
        int64 [u, entries, output positions], -1 where nothing is met.
    """
    if not kernel:
        return numbers[:, None]
    entries = prod(kernel)
    units = torch.eye(entries, dtype=torch.float64).reshape(entries, 1, *kernel)
    given = {
        **operation.named,
        "input": torch.from_numpy(numbers + 1).double().reshape(-1, 1, *places[1:]),
        "weight": units.transpose(0, 1) if operation.transposed else units,
        "bias": None,
        "groups": 1,
    }
    met = operation.node.target(**given).reshape(len(numbers), places[0], entries, -1)  # type: ignore[operator]
    return np.asarray(met.transpose(1, 2).flatten(2).round().long().numpy()) - 1


def windows(operation: Operation, before: tuple[int, ...], after: tuple[int, ...]) -> np.ndarray:
    """(position, position after) of a pool or an interpolation, int64 [n, 2]: what an axis' unit inputs touch, axis by axis.

    Args:
        operation: it, of one input.
        before, after: the sides of its map.
    """
    (node,) = operation.node.all_input_nodes
    pairs = np.zeros((1, 2), dtype=np.int64)
    for axis, (size, made) in enumerate(zip(before, after, strict=True)):
        shape = [1] * len(before)
        shape[axis] = size
        units = torch.eye(size, dtype=torch.float64).reshape(size, 1, *shape).expand(size, 1, *before)
        result = operation.run({node: units.contiguous()})
        result = result[0] if isinstance(result, (tuple, list)) else result
        touched = (result[:, 0] != 0).movedim(axis + 1, 1).reshape(size, made, -1).any(dim=2)
        own = touched.nonzero().numpy()
        pairs = (pairs[:, None] * (size, made) + own).reshape(-1, 2)
    return pairs
