"""What a network costs to run: its multiply-accumulate operations."""

import math

from torch import nn

from pruneexp.errors import UserError
from pruneexp.network.operations import Kind
from pruneexp.network.trace import Operation, Trace, traced


def multiply_accumulates(model: nn.Module, input_shape: tuple[int, ...]) -> dict[str, int]:
    """Multiply-accumulate operations of each prunable weight for one input, unpruned; a weight that is not used has none.

    A pruned weight needs its density times as many. One that is used twice counts twice; what activations do among themselves
    (attention's products, say) does not count, and neither does looking up an embedding.

    Args:
        model: a plain network; left as it was.
        input_shape: of one input: [C, H, W] of images.

    Raises:
        UserError: the network cannot be traced, or does with a weight what is no product with it.
    """
    return multiply_accumulates_in(traced(model, input_shape))


def multiply_accumulates_in(trace: Trace) -> dict[str, int]:
    """What `multiply_accumulates` gives, of a network that is traced already."""
    counts = dict.fromkeys(trace.weights, 0)
    constant = dict(trace.tensors)  # and what is computed from such alone, by the weight that it comes from
    for operation in trace.operations:
        nodes = operation.node.all_input_nodes
        names = {constant[node] for node in nodes if constant.get(node) in trace.weights}
        fixed = all(node in constant for node in nodes)
        if operation.kind is Kind.LAYER or (operation.kind is Kind.PRODUCT and not fixed):
            for name in names if operation.name != "embedding" else ():
                counts[name] += trace.weights[name].numel() * _positions(operation, trace.weights[name].shape)
        elif fixed:
            constant[operation.node] = next(iter(sorted(names)), "")
        elif names and operation.kind is None:
            raise UserError(f"multiply-accumulates have no meaning for {operation}.")
    return counts


def _positions(operation: Operation, shape: tuple[int, ...]) -> int:
    """How often one weight is used for one input."""
    if operation.transposed:  # once for each position that is read, elsewhere for each that is made
        shape_given: tuple[int, ...] = operation.named["input"].meta["val"].shape
        return math.prod(shape_given) // shape[0]
    return math.prod(operation.shape) // shape[0]
