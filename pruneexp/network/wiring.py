"""How a network's layers join: which channels are one vertex of its graph.

The network is traced with torch.fx. A channel is one vertex: what a layer puts out and the next one takes in are the same
vertices, through BatchNorm, activations, pooling and flattening. Where two branches are added, their channels are one
vertex each - except for an identity skip, which joins channels without a weight (see `Wiring.skips`).
"""

import operator
from dataclasses import dataclass, field

import torch
from torch import fx, nn
from torch.nn import functional

from pruneexp.errors import UserError
from pruneexp.network.prunable import prunable

PASSING = (
    nn.BatchNorm1d, nn.BatchNorm2d, nn.ReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.LeakyReLU, nn.Hardswish, nn.MaxPool2d, nn.AvgPool2d,
    nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Dropout, nn.Dropout2d, nn.Identity, nn.Flatten,
)  # fmt: skip
PASSING_FUNCTIONS = {
    torch.relu, torch.tanh, torch.sigmoid, torch.flatten, functional.relu, functional.gelu, functional.silu,
    functional.max_pool2d, functional.avg_pool2d, functional.adaptive_avg_pool2d, functional.dropout,
}  # fmt: skip
PASSING_METHODS = {"relu", "mean", "flatten", "contiguous", "view", "reshape"}
ADDING = {operator.add, operator.iadd, torch.add, "add", "add_"}


@dataclass(frozen=True)
class Wiring:
    """The vertices that each layer's weights join.

    Attributes:
        vertices: their number.
        sources: by weight name, the vertex of each weight's input, int64 broadcastable to [C_out, C_in / groups].
        targets: by weight name, the vertex of each output, int64 [C_out].
        skips: pairs of int64 tensors of the same length: channels joined by an identity skip.
    """

    vertices: int
    sources: dict[str, torch.Tensor]
    targets: dict[str, torch.Tensor]
    skips: list[tuple[torch.Tensor, torch.Tensor]]

    def identified(self) -> "Wiring":
        """The wiring in which channels joined by an identity skip are one vertex."""
        return _merge(self.vertices, self.sources, self.targets, self.skips, [])


@dataclass(frozen=True)
class _Value:
    """Channels on their way through the network."""

    channels: torch.Tensor | None  # None: an input, before the first layer says how many it has
    name: str = ""  # of the input
    makers: frozenset[str] = frozenset()  # layers that put these channels out
    upstream: frozenset[str] = frozenset()  # layers passed on the way, the makers included


@dataclass
class _Tracer:
    """The state of one pass over the traced graph."""

    vertices: int = 0
    inputs: dict[str, torch.Tensor] = field(default_factory=dict)
    sources: dict[str, torch.Tensor] = field(default_factory=dict)
    targets: dict[str, torch.Tensor] = field(default_factory=dict)
    skips: list[tuple[torch.Tensor, torch.Tensor]] = field(default_factory=list)
    merged: list[tuple[torch.Tensor, torch.Tensor]] = field(default_factory=list)

    def new(self, count: int) -> torch.Tensor:
        self.vertices += count
        return torch.arange(self.vertices - count, self.vertices)

    def channels_of(self, value: _Value, wanted: int) -> torch.Tensor:
        """A value's channels; an input's are made when the first layer that reads it says how many there are."""
        if value.channels is not None:
            return value.channels
        if value.name not in self.inputs:
            self.inputs[value.name] = self.new(wanted)
        return self.inputs[value.name]

    def layer(self, name: str, module: nn.Conv2d | nn.Linear, value: _Value) -> _Value:
        groups = module.groups if isinstance(module, nn.Conv2d) else 1
        out, wanted = module.weight.shape[0], module.weight.shape[1] * groups
        channels = self.channels_of(value, wanted)
        if wanted % len(channels):
            raise UserError(
                f"the channel graph cannot join {name}: it takes {wanted} inputs from {len(channels)} channels."
            )
        if name in self.targets:
            raise UserError(f"the channel graph cannot join {name}: it is used twice.")
        # flattening gives each channel several neighbouring inputs
        inputs = channels.repeat_interleave(wanted // len(channels)).reshape(groups, -1)
        self.sources[name] = inputs.repeat_interleave(out // groups, dim=0) if groups > 1 else inputs
        self.targets[name] = self.new(out)
        return _Value(self.targets[name], "", frozenset([name]), value.upstream | {name})

    def add(self, a: _Value, b: _Value) -> _Value:
        if a.channels is None or b.channels is None or len(a.channels) != len(b.channels):
            raise UserError("the channel graph cannot join an addition of different numbers of channels.")
        upstream = a.upstream | b.upstream
        for early, late in ((a, b), (b, a)):
            if early.makers <= late.upstream - late.makers:  # from before the other's last layer: an identity skip
                assert early.channels is not None
                assert late.channels is not None
                self.skips.append((early.channels, late.channels))
                return _Value(late.channels, "", late.makers, upstream)
        self.merged.append((a.channels, b.channels))
        return _Value(a.channels, "", a.makers | b.makers, upstream)


def trace(model: nn.Module) -> Wiring:
    """The wiring of a network of Conv2d and Linear layers, pooling, activations and additions.

    Raises:
        UserError: the network cannot be traced, or does something that the channel graph has no meaning for.
    """
    try:
        traced = fx.symbolic_trace(model)
    except Exception as error:
        raise UserError(f"the channel graph needs a network that torch.fx can trace: {error}.") from error
    modules, state = dict(model.named_modules()), _Tracer()
    values: dict[fx.Node, _Value] = {}
    for node in traced.graph.nodes:
        inputs = [values[argument] for argument in node.all_input_nodes]
        if node.op == "placeholder":
            values[node] = _Value(None, node.name)
        elif node.op == "output":
            continue
        elif node.op == "call_module" and isinstance(modules[node.target], (nn.Conv2d, nn.Linear)):
            values[node] = state.layer(f"{node.target}.weight", modules[node.target], inputs[0])
        elif node.op == "call_module" and isinstance(modules[node.target], PASSING):
            values[node] = inputs[0]
        elif node.target in ADDING and len(inputs) == 2:
            values[node] = state.add(*inputs)
        elif node.target in PASSING_FUNCTIONS or (node.op == "call_method" and node.target in PASSING_METHODS):
            values[node] = inputs[0]
        else:
            called = node.target
            what = type(modules[called]).__name__ if node.op == "call_module" else getattr(called, "__name__", called)
            raise UserError(f"the channel graph has no meaning for {what} (at {node.name}) in this network.")
    for name in prunable(model):
        if name not in state.targets:
            raise UserError(f"the channel graph cannot join {name}: the network does not use it.")
    return _merge(state.vertices, state.sources, state.targets, state.merged, state.skips)


def _merge(
    vertices: int,
    sources: dict[str, torch.Tensor],
    targets: dict[str, torch.Tensor],
    same: list[tuple[torch.Tensor, torch.Tensor]],
    skips: list[tuple[torch.Tensor, torch.Tensor]],
) -> Wiring:
    """A wiring in which the paired vertices are one, numbered without gaps in order of first appearance."""
    import scipy.sparse as sp
    from scipy.sparse.csgraph import connected_components

    a = torch.cat([torch.empty(0, dtype=torch.int64), *(pair[0] for pair in same)])
    b = torch.cat([torch.empty(0, dtype=torch.int64), *(pair[1] for pair in same)])
    graph = sp.coo_array((torch.ones(len(a)).numpy(), (a.numpy(), b.numpy())), shape=(vertices, vertices))
    number, label = connected_components(graph, directed=False)
    to = torch.from_numpy(label).long()
    return Wiring(
        number,
        {name: to[index] for name, index in sources.items()},
        {name: to[index] for name, index in targets.items()},
        [(to[one], to[other]) for one, other in skips],
    )
