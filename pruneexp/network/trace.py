"""The one trace: what a network computes, operation by operation, as torch.export writes it down."""

import contextlib
import logging
import operator
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import fx, nn
from torch.overrides import TorchFunctionMode

from pruneexp.errors import UserError, first_line
from pruneexp.network.operations import Kind, kind_of
from pruneexp.network.prunable import Place, modes_kept, places
from pruneexp.system.collecting import paused


@dataclass(frozen=True)
class Operation:
    """One step of a network.

    Attributes:
        node: in the graph of torch.export.
        name: ATen's, without overload: ``conv2d``, ``add_``.
        kind: what it does to channels; None where that has no meaning.
        place: the module in which it happens, as named in the network; "" at the top.
        named: its arguments by the names of ATen's schema, with fx nodes where tensors are.
    """

    node: fx.Node
    name: str
    kind: Kind | None
    place: str
    named: dict[str, Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of what it gives, where that is one tensor."""
        return tuple(self.node.meta["val"].shape)

    @property
    def channels(self) -> int:
        """The dimension, counted from the last, along which a layer's inputs and outputs lie, with or without a batch."""
        weight: tuple[int, ...] = self.named["weight"].meta["val"].shape if "conv" in self.name else ()
        return 1 - len(weight) if weight else -1

    @property
    def transposed(self) -> bool:
        """Whether a layer is a transposed convolution."""
        return "transpose" in self.name

    @property
    def written_elsewhere(self) -> bool:
        """Whether it writes in place into memory that is read later under another name, as where it writes into a view."""
        if not _alias(self.node, write=True):
            return False
        first = self.node
        while _alias(first) and isinstance(first.args[0], fx.Node):
            first = first.args[0]
        names, found = {first}, [first]
        for one in found:  # grows on the way
            more = [user for user in one.users if user is not self.node and user.args[:1] == (one,) and _alias(user)]
            found += [user for user in more if user not in names]
            names.update(more)
        return any(self.node < user for one in found for user in one.users)

    def run(self, given: dict[fx.Node, Any]) -> Any:
        """The operation itself, on other tensors in the places of its inputs; they are left as they are."""
        if _alias(self.node, write=True):
            given = {node: one.clone() if node is self.node.args[0] else one for node, one in given.items()}
        args, kwargs = fx.map_arg((self.node.args, self.node.kwargs), lambda node: given[node])
        return self.node.target(*args, **kwargs)  # type: ignore[operator]

    def __str__(self) -> str:
        return f"{self.name}{f' in {self.place}' if self.place else ''}"


@dataclass(frozen=True)
class Trace:
    """A network as a list of operations.

    Attributes:
        inputs: placeholders of what the network is given.
        tensors: by placeholder, the name of a parameter or buffer; shared ones have the first name.
        values: by placeholder, the tensor itself.
        operations: in order.
        outputs: the nodes that the network gives.
        places: of its prunable weights, embeddings' too, by name.
    """

    inputs: list[fx.Node]
    tensors: dict[fx.Node, str]
    values: dict[fx.Node, torch.Tensor]
    operations: list[Operation]
    outputs: list[fx.Node]
    places: dict[str, Place]

    @cached_property
    def weights(self) -> dict[str, torch.Tensor]:
        """The prunable weights by name."""
        return {name: place.weight for name, place in self.places.items()}


def traced(model: nn.Module, input_shape: tuple[int, ...] | None) -> Trace:
    """What a plain network does to one input in eval mode; the model is left as it was.

    Args:
        model: a network as `pruneexp.network.plain.plain` makes it.
        input_shape: of one input, without the batch; None: the first that the network runs on, of the usual ones.

    Raises:
        UserError: it does not run on such an input, or torch.export cannot follow it.
    """
    shape = usual_shape(model) if input_shape is None else tuple(input_shape)
    with modes_kept(model), _quiet(), torch.enable_grad(), _Spelled(), paused():
        example = runnable(model.eval(), shape)
        try:
            program = torch.export.export(model, (example,), strict=False)
        except Exception as error:  # whatever the network does that a graph cannot hold
            raise UserError(f"torch.export cannot follow this network: {first_line(error)}.") from error
    return _read(program, places(model, embeddings=True))


def runnable(model: nn.Module, shape: tuple[int, ...]) -> torch.Tensor:
    """One input of zeros on which the network runs: of its weights' dtype, or of integers where it looks something up.

    Raises:
        UserError: it does not run.
    """
    like = next(model.parameters())
    failed: Exception | None = None
    for dtype in (like.dtype, torch.int64):
        example = torch.zeros(1, *shape, device=like.device, dtype=dtype)
        try:
            with torch.no_grad():
                model(example)
        except Exception as error:  # it lets through whatever the network raises
            failed = failed or error
        else:
            return example
    assert failed is not None
    raise UserError(
        f"the network does not run on an input of {'x'.join(map(str, shape))}: {first_line(failed)}."
    ) from failed


SIDES = (32, 64, 224, 28, 96, 128, 299, *range(1, 28), *range(29, 64))  # fmt: skip  # of images, in the order in which they are tried


def usual_shape(model: nn.Module) -> tuple[int, ...]:
    """The first of the usual shapes of one input on which the network runs; which one matters little where only channels are asked for.

    Raises:
        UserError: it runs on none.
    """
    with modes_kept(model):
        layers = places(model, embeddings=True).values()  # the first is the network's entry, most often
        for shape in dict.fromkeys(shape for place in layers for shape in _usual(place.module)):
            with contextlib.suppress(UserError):
                runnable(model.eval(), shape)
                return shape
    raise UserError("the network runs on no input of a usual shape: say its shape (example_input=, input_shape=).")


def _usual(layer: nn.Module) -> list[tuple[int, ...]]:
    """Shapes that fit a layer: a vector, a few tokens, or images."""
    if isinstance(layer, nn.Embedding):
        return [(7,), ()]
    if isinstance(layer, (nn.Linear, nn.MultiheadAttention)):
        width = layer.in_features if isinstance(layer, nn.Linear) else layer.embed_dim
        return [(width,), (7, width)]
    kernel = layer.get_parameter("weight").dim() - 2
    channels = int(layer.in_channels)  # type: ignore[arg-type]
    return [(channels, *[side] * kernel) for side in (SIDES if kernel < 3 else (16, 32, 64, 8))]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without torch's own remarks on its inner workings."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


class _Spelled(TorchFunctionMode):
    """Writes a sum over one index of two tensors as the product of matrices that it is, and a gated linear unit as a gate."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        if func is torch.nn.functional.glu:
            one, gate = args[0].chunk(2, dim=args[1] if len(args) > 1 else (kwargs or {}).get("dim", -1))
            return one * torch.sigmoid(gate)
        if (
            func in (torch.einsum, torch.functional.einsum)
            and len(args) == 3
            and "." not in args[0]
            and "->" in args[0]
        ):
            inputs, _, result = args[0].replace(" ", "").partition("->")
            left, _, right = inputs.partition(",")
            summed = sorted((set(left) & set(right)) - set(result))
            alone, other = ([x for x in one if x not in two] for one, two in ((left, right), (right, left)))
            if len(summed) == len(alone) == len(other) == 1 and set(result) == (set(left) | set(right)) - set(summed):
                shared = [x for x in left if x in right and x not in summed]
                a = args[1].permute([left.index(x) for x in (*shared, *alone, *summed)])
                b = args[2].permute([right.index(x) for x in (*shared, *summed, *other)])
                whole = [*shared, *alone, *other]
                return torch.matmul(a, b).permute([whole.index(x) for x in result])
        return func(*args, **(kwargs or {}))


def _inline(module: fx.GraphModule) -> None:
    """Put what runs in a context of its own (torch.autocast, torch.no_grad), a graph within the graph, among the other operations."""
    for node in list(module.graph.nodes):
        if node.op != "call_function" or not str(node.target).startswith("wrap_with_"):
            continue
        place = next(k for k, one in enumerate(node.args) if isinstance(one, fx.Node) and one.op == "get_attr")
        body = module.get_submodule(str(node.args[place].target))
        assert isinstance(body, fx.GraphModule)
        _inline(body)
        entries = [one for one in body.graph.nodes if one.op == "placeholder"]
        with module.graph.inserting_before(node):
            made: Any = module.graph.graph_copy(body.graph, dict(zip(entries, node.args[place + 1 :], strict=True)))
        for part in list(node.users):
            part.replace_all_uses_with(made[part.args[1]])
            module.graph.erase_node(part)
        module.graph.erase_node(node)


def _alias(node: fx.Node, write: bool = False) -> bool:
    """Whether what a node gives is its first input's memory, and, asked for, written into."""
    if node.target is operator.getitem:
        return not write
    schema = getattr(node.target, "_schema", None)
    about = schema.arguments[0].alias_info if schema is not None and schema.arguments else None
    return about is not None and (about.is_write or not write)


def _read(program: Any, where: dict[str, Place]) -> Trace:
    _inline(program.graph_module)
    signature, nodes = program.graph_signature, list(program.graph.nodes)
    kept = {**program.state_dict, **program.constants}
    given = {spec.arg.name: spec.target for spec in signature.input_specs}
    first = {id(place.weight): name for name, place in where.items()}
    inputs, tensors, values, operations, outputs = [], {}, {}, [], []
    for node in nodes:
        if node.op == "placeholder":
            target = given[node.name]
            if target is None:
                inputs.append(node)
                continue
            values[node] = kept[target]
            tensors[node] = first.setdefault(id(kept[target]), target)
        elif node.op == "output":
            given_back = zip(node.args[0], signature.output_specs, strict=True)
            outputs = [n for n, spec in given_back if isinstance(n, fx.Node) and spec.kind.name == "USER_OUTPUT"]
        elif node.meta.get("val") is not None:  # not an assertion
            operations.append(_operation(node))
    return Trace(inputs, tensors, values, operations, outputs, where)


def _operation(node: fx.Node) -> Operation:
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    place = stack[-1][0] if stack else ""
    target: Any = node.target
    if target is operator.getitem:
        return Operation(node, "getitem", Kind.MOVE, place, {"self": node.args[0], "index": node.args[1]})
    name = (
        target._schema.name.rpartition("::")[2]
        if hasattr(target, "_schema")
        else getattr(target, "__name__", str(target))
    )
    named = {}
    if hasattr(target, "_schema"):
        arguments = target._schema.arguments
        named = {a.name: a.default_value for a in arguments if a.has_default_value()}
        named |= {a.name: value for a, value in zip(arguments, node.args, strict=False)} | dict(node.kwargs)
    return Operation(node, name, kind_of(name), place, named)
