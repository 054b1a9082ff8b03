"""From a network to its multipartite graph, by tracing what it computes."""

import math
import operator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import fx, nn
from torch.nn import functional

from pruneexp.errors import UserError, first_line
from pruneexp.models.vit import attend
from pruneexp.network.masks import Masks, check
from pruneexp.network.plain import plain
from pruneexp.network.prunable import modes_kept, prunable
from pruneexp.topology.encoding import Graph, Link
from pruneexp.topology.relations import adaptive, compose, sliding, through

PASSING = (
    nn.modules.batchnorm._BatchNorm, nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.LeakyReLU, nn.Hardswish,
    nn.Dropout, nn.Dropout2d, nn.Identity, nn.GroupNorm, nn.LayerNorm,
)  # fmt: skip
PASSING_FUNCTIONS = {
    torch.relu, torch.tanh, torch.sigmoid, functional.relu, functional.relu6, functional.gelu, functional.silu, functional.dropout,
    functional.leaky_relu, "relu", "contiguous", "relu_",
}  # fmt: skip
FLATTENING = {nn.Flatten, torch.flatten, "flatten", "view", "reshape"}
POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
POOLING: dict[object, str] = {
    functional.max_pool2d: "max_pool2d", functional.avg_pool2d: "avg_pool2d",
    functional.adaptive_avg_pool2d: "adaptive", functional.adaptive_max_pool2d: "adaptive",
}  # fmt: skip
SCALARS = ("int", "Size", "bool", "device", "dtype", "float")  # of sizes on their way to a view
ADDING = {operator.add, operator.iadd, torch.add, "add", "add_"}


@dataclass(frozen=True)
class _Value:
    """Channels on their way: the partition they come from, and how its positions map to theirs.

    `rows` and `columns` are int64 [n, 2]: (position in the partition, position now); a pool's window is many to one.
    """

    partition: int
    size: tuple[int, int, int]  # C, H, W now
    rows: np.ndarray
    columns: np.ndarray
    stamp: int = 0  # of the partition when the value was made: an addition to it makes earlier values of it void


def encode(model: nn.Module, input_shape: tuple[int, ...], masks: Masks | None = None, skips: bool = True) -> Graph:
    """The unrolled multipartite graph (Cunegatti et al., section 3 and appendix C).

    A convolution's or linear layer's outputs are a partition of nodes, one for each channel and position; the next layer's inputs are
    the same nodes. Pooling adds none: an edge that leaves a pooled cell leaves every node of its window. A shortcut
    convolution leads to the partition that it is added to, an identity skip has unit weights. BatchNorm and biases are left out.
    Attention (`pruneexp.models.vit.attend`), which the paper leaves to later work, is a partition of its own: an output at a position
    has unit edges from its head's query there, its head's keys at all positions and its channel's values at all positions.

    Args:
        model: of Conv2d and Linear layers, normalisation, activations, pooling and additions.
        input_shape: [C, H, W], or [units].
        masks: by weight name; without them the network's own zeros are its mask.
        skips: add identity skips.

    Raises:
        UserError: the network cannot be traced or run on that shape, does something without a meaning in a graph, or a
            mask's name or shape is not the network's.
    """
    model = plain(model)
    weights = _masked(model, masks)
    if not isinstance(input_shape, (tuple, list)) or not all(
        isinstance(side, int) and side > 0 for side in input_shape
    ):
        raise UserError(f"input_shape must be channels, height and width, such as (3, 32, 32), got {input_shape!r}.")
    with modes_kept(model):
        traced = _traced(model.eval())
        _run(traced, model, tuple(input_shape))
    tracer = _Tracer(model, weights, skips)
    for node in traced.graph.nodes:
        tracer.visit(node)
    return tracer.graph()


def _traced(model: nn.Module) -> fx.GraphModule:
    try:
        return fx.GraphModule(model, _Leaves().trace(model))
    except Exception as error:
        raise UserError(
            f"the multipartite graph needs a network that torch.fx can trace: {first_line(error)}."
        ) from error


def _run(traced: fx.GraphModule, model: nn.Module, input_shape: tuple[int, ...]) -> None:
    """Note the shape of everything that the network computes."""
    like = next(model.parameters())
    try:
        with torch.no_grad():
            _Shapes(traced).run(torch.zeros(2, *input_shape, device=like.device, dtype=like.dtype))
    except Exception as error:
        shape = "x".join(map(str, input_shape))
        raise UserError(f"the network does not run on an input of {shape}: {first_line(error)}.") from error


class _Leaves(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, nn.LayerNorm) or super().is_leaf_module(m, module_qualified_name)


class _Shapes(fx.Interpreter):
    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        n.meta["computed"] = tuple(result.shape) if isinstance(result, torch.Tensor) else type(result).__name__
        return result


def _masked(model: nn.Module, masks: Masks | None) -> dict[str, np.ndarray]:
    weights = prunable(model)
    check(weights, masks or {})
    result = {}
    for name, weight in weights.items():
        value = weight.detach().double().abs().cpu()
        if not bool(torch.isfinite(value).all()):
            raise UserError(f"the weights of {name} are not finite.")
        result[name] = (value * masks[name].cpu() if masks and name in masks else value).numpy()
    return result


class _Tracer:
    def __init__(self, model: nn.Module, weights: dict[str, np.ndarray], skips: bool) -> None:
        self.modules, self.weights, self.with_skips = dict(model.named_modules()), weights, skips
        self.shapes: list[tuple[int, int, int]] = []
        self.links: list[Link] = []
        self.values: dict[fx.Node, _Value] = {}
        self.stamps: list[int] = []  # of each partition
        self.clock = 0
        self.output = -1

    def visit(self, node: fx.Node) -> None:
        inputs = [self.values[argument] for argument in node.all_input_nodes if argument in self.values]
        for value in inputs:
            if value.partition >= len(self.stamps) or self.stamps[value.partition] != value.stamp:
                raise UserError(
                    f"the multipartite graph has no meaning for channels that are used (at {node.name}) as they were before an addition."
                )
        if node.op == "output":
            if len(inputs) != 1:
                raise UserError(
                    f"the multipartite graph is of networks with one output, and this one has {len(inputs)}."
                )
            self.output = inputs[0].partition
            return
        if node.op == "get_attr" or (node.op != "placeholder" and node.meta["computed"] in SCALARS):
            return
        if node.op == "placeholder":
            self.values[node] = self._new(_shape(node))
            return
        module = self.modules[str(node.target)] if node.op == "call_module" else None
        kind = node.target if module is None else type(module)
        if not inputs or not isinstance(node.meta["computed"], tuple):
            raise UserError(f"the multipartite graph has no meaning for {_called(node, module)}.")
        value = inputs[0]
        if isinstance(module, nn.Conv2d):
            self.values[node] = self._convolution(str(node.target), module, value, _shape(node))
        elif isinstance(module, nn.Linear):
            self.values[node] = self._linear(str(node.target), module, value)
        elif isinstance(module, PASSING) or kind in PASSING_FUNCTIONS:
            self.values[node] = value
        elif isinstance(module, POOLS) or kind in POOLING:
            self.values[node] = self._pool(node, module, value)
        elif kind == "mean" or kind is torch.mean:
            self.values[node] = _mean(node, value)
        elif kind in FLATTENING and len(node.meta["computed"]) == 2:
            self.values[node] = value
        elif kind in ADDING and len(inputs) == 2 and not node.kwargs:
            self.values[node] = self._add(*inputs)
        elif kind in ADDING and len(inputs) == 1 and any(n.op == "get_attr" for n in node.all_input_nodes):
            self.values[node] = value  # a bias by position
        elif kind is attend:
            self.values[node] = self._attention(inputs, int(node.args[3]))  # type: ignore[arg-type]
        else:
            raise UserError(f"the multipartite graph has no meaning for {_called(node, module)}.")

    def _attention(self, inputs: list[_Value], heads: int) -> _Value:
        """Every position of a head reads its query there, its keys everywhere, and its own channel's values everywhere; unit weights."""
        made = self._new(inputs[0].size)
        channels = made.size[0]
        same_head = np.kron(np.eye(heads), np.ones((channels // heads, channels // heads)))
        for name, value, weight in zip(
            ("query", "key", "value"), inputs, (same_head, same_head, np.eye(channels)), strict=True
        ):
            relations = []
            for positions, size in zip((value.rows, value.columns), value.size[1:], strict=True):
                reached = [(a, 0, b) for a, here in positions for b in ([here] if name == "query" else range(size))]
                relations.append(np.array(reached, dtype=np.int64))
            title = f"{name} {value.partition}-{made.partition}"
            self.links.append(Link(title, value.partition, made.partition, weight[:, :, None, None], *relations))
        return made

    def _new(self, shape: tuple[int, int, int]) -> _Value:
        self.shapes.append(shape)
        rows, columns = (np.repeat(np.arange(size)[:, None], 2, axis=1) for size in shape[1:])
        self.stamps.append(0)
        return self._stamped(_Value(len(self.shapes) - 1, shape, rows, columns))

    def _stamped(self, value: _Value) -> _Value:
        """The value as the only one of its partition that still holds."""
        self.clock += 1
        self.stamps[value.partition] = self.clock
        return replace(value, stamp=self.clock)

    def _convolution(self, name: str, module: nn.Conv2d, value: _Value, shape: tuple[int, int, int]) -> _Value:
        weight = self.weights[f"{name}.weight"]
        if module.groups > 1:
            out, into = weight.shape[:2]
            dense = np.zeros((out, into * module.groups, *weight.shape[2:]))
            for group in range(module.groups):
                part = slice(group * out // module.groups, (group + 1) * out // module.groups)
                dense[part, group * into : (group + 1) * into] = weight[part]
            weight = dense
        if isinstance(module.padding, str) or module.padding_mode != "zeros":
            how = module.padding if isinstance(module.padding, str) else module.padding_mode
            raise UserError(f"the multipartite graph needs {name}'s padding as a number, not {how!r}.")
        relations = [
            through(
                positions,
                sliding(before, after, kernel, module.stride[axis], int(module.padding[axis]), module.dilation[axis]),
            )
            for axis, (positions, before, after, kernel) in enumerate(
                zip((value.rows, value.columns), value.size[1:], shape[1:], weight.shape[2:], strict=True)
            )
        ]
        made = self._new(shape)
        self.links.append(Link(f"{name}.weight", value.partition, made.partition, weight, *relations))
        return made

    def _linear(self, name: str, module: nn.Linear, value: _Value) -> _Value:
        if module.in_features != math.prod(value.size):
            raise UserError(
                f"the multipartite graph has no meaning for the linear layer {name} here: it takes {module.in_features} units"
                f" from {math.prod(value.size)}."
            )
        weight = self.weights[f"{name}.weight"].reshape(module.out_features, *value.size)
        relations = [np.column_stack([p, np.zeros(len(p), np.int64)]) for p in (value.rows, value.columns)]
        made = self._new((module.out_features, 1, 1))
        self.links.append(Link(f"{name}.weight", value.partition, made.partition, weight, *relations))
        return made

    def _pool(self, node: fx.Node, module: nn.Module | None, value: _Value) -> _Value:
        shape = _shape(node)
        if isinstance(module, (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)) or POOLING.get(node.target) == "adaptive":
            windows = [adaptive(before, after) for before, after in zip(value.size[1:], shape[1:], strict=True)]
        else:
            kernel, stride, padding, dilation = _window(node, module)
            windows = [
                sliding(before, after, kernel[axis], stride[axis], padding[axis], dilation[axis])[:, [0, 2]]
                for axis, (before, after) in enumerate(zip(value.size[1:], shape[1:], strict=True))
            ]
        rows, columns = (
            compose(positions, window) for positions, window in zip((value.rows, value.columns), windows, strict=True)
        )
        return replace(value, size=shape, rows=rows, columns=columns)

    def _add(self, a: _Value, b: _Value) -> _Value:
        early, late = sorted((a, b), key=lambda value: value.partition)
        if (
            a.size != b.size
            or not _whole(late, self.shapes)
            or (a.partition == b.partition and not _whole(early, self.shapes))
        ):
            raise UserError("the multipartite graph has no meaning for an addition of channels at different positions.")
        if early.partition == late.partition:
            return late
        if _whole(early, self.shapes) and not any(link.source == early.partition for link in self.links):
            # two layers' outputs meet: the later one's nodes go, its edges lead to the earlier's
            self.links = [
                replace(link, target=early.partition) if link.target == late.partition else link for link in self.links
            ]
            if late.partition != len(self.shapes) - 1 or any(link.source == late.partition for link in self.links):
                raise UserError(
                    "the multipartite graph has no meaning for an addition to channels that are used before it."
                )
            self.shapes.pop()
            self.stamps.pop()
            return self._stamped(early)
        if self.with_skips:
            channels = late.size[0]
            unit = np.eye(channels)[:, :, None, None]
            relations = [
                np.column_stack([p[:, 0], np.zeros(len(p), np.int64), p[:, 1]]) for p in (early.rows, early.columns)
            ]
            name = f"skip {early.partition}-{late.partition}"
            self.links.append(Link(name, early.partition, late.partition, unit, *relations))
        return self._stamped(late)

    def graph(self) -> Graph:
        used = {link.name for link in self.links}
        for name in self.weights:
            if name not in used:
                raise UserError(f"the multipartite graph needs every layer, and the network does not use {name}.")
        return Graph(self.shapes, self.links, self.output)


def _whole(value: _Value, shapes: list[tuple[int, int, int]]) -> bool:
    """Whether the value is its partition, position for position."""
    return value.size == shapes[value.partition] and all(
        len(p) == size and bool((p[:, 0] == p[:, 1]).all())
        for p, size in zip((value.rows, value.columns), value.size[1:], strict=True)
    )


def _mean(node: fx.Node, value: _Value) -> _Value:
    dims = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
    if not isinstance(dims, (tuple, list)) or {int(d) % 4 for d in dims} != {2, 3}:
        raise UserError(
            f"the multipartite graph has no meaning for a mean over {dims} (at {node.name}): only over positions."
        )
    rows, columns = (np.column_stack([p[:, 0], np.zeros(len(p), np.int64)]) for p in (value.rows, value.columns))
    return replace(value, size=(value.size[0], 1, 1), rows=rows, columns=columns)


def _window(node: fx.Node, module: nn.Module | None) -> tuple[tuple[int, int], ...]:
    """Kernel, stride, padding and dilation of a pool."""
    names = ("kernel_size", "stride", "padding", "dilation")
    if module is not None:
        found = [getattr(module, name, None) for name in names]
    else:
        found = [node.kwargs.get(n, node.args[k + 1] if len(node.args) > k + 1 else None) for k, n in enumerate(names)]
    kernel = found[0]
    values = [
        kernel,
        *(default if value is None else value for value, default in zip(found[1:], (kernel, 0, 1), strict=True)),
    ]
    return tuple((v, v) if isinstance(v, int) else tuple(v or ()) for v in values)


def _shape(node: fx.Node) -> tuple[int, int, int]:
    if not isinstance(node.meta["computed"], tuple):
        raise UserError(
            f"the multipartite graph has no meaning for {node.meta['computed']} (at {node.name}) in this network."
        )
    shape = node.meta["computed"][1:]
    return (*shape, *[1] * (3 - len(shape)))[:3]


def _called(node: fx.Node, module: nn.Module | None) -> str:
    what = type(module).__name__ if module is not None else getattr(node.target, "__name__", node.target)
    return f"{what} (at {node.name}) in this network"
