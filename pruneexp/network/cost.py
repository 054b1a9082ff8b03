"""What a network costs to run: its multiply-accumulate operations."""

import copy
import math
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from pruneexp.errors import UserError
from pruneexp.network.operations import Kind
from pruneexp.network.prunable import prunable
from pruneexp.network.trace import Operation, Trace, runnable, traced

LAYERS = (torch.conv1d, torch.conv2d, torch.conv3d, nn.functional.linear)
LARGEST = 1 << 26  # parameters of a network that is run to count


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


def counted(bare: nn.Module, input_shape: tuple[int, ...]) -> dict[str, int] | None:
    """What `multiply_accumulates` gives, of networks whose weights all are those of linear and convolutional layers, and used as such.

    Such a network is run, once on zeros, and what each layer gives is counted. That takes a moment; for a trace torch imports its
    compiler, which takes seconds.

    Args:
        bare: a plain network without numbers, on torch's meta device; left as it was.
        input_shape: of one input.

    Returns:
        None where a weight is used in another way or not at all, or where the network has more than 2^26 parameters: a trace tells.
    """
    if sum(parameter.numel() for parameter in bare.parameters()) > LARGEST:
        return None
    network = copy.deepcopy(bare).eval()
    zeros = {name: torch.zeros(one.shape, dtype=one.dtype) for name, one in network.state_dict().items()}
    network.load_state_dict(zeros, assign=True)
    weights = prunable(network)
    layers = _Layers(weights)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        try:
            example = runnable(network, input_shape)
        except UserError:
            return None
        with layers:
            network(example)
    whole = weights.keys() == prunable(bare).keys() and all(layers.counts.values())
    return layers.counts if whole and not layers.others else None


class _Layers(TorchFunctionMode):
    """Counts what layers do with weights, and whether anything else makes a tensor of one.

    Args:
        weights: by name.
    """

    def __init__(self, weights: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.names = {id(weight): name for name, weight in weights.items()}
        self.counts, self.others = dict.fromkeys(weights, 0), False

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        made = func(*args, **kwargs)
        if used := [one for one in tree_leaves((args, kwargs)) if id(one) in self.names]:
            if func in LAYERS and len(used) == 1 and used[0] is (args[1] if len(args) > 1 else kwargs["weight"]):
                weight = used[0]
                self.counts[self.names[id(weight)]] += weight.numel() * (math.prod(made.shape) // weight.shape[0])
            else:
                self.others |= any(isinstance(one, torch.Tensor) for one in tree_leaves(made))
        return made
