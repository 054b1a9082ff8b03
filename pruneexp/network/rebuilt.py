"""A graph of torch.export, built anew from its JSON: only of operations that are known, and under names of its own."""

import json
import math
import operator
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import fx

from pruneexp.network.operations import kind_of

ATEN = re.compile(r"torch\.ops\.aten\.(\w+)\.(\w+)", re.ASCII)
# neither among the operations with channels nor in ATen's core
BESIDE = {"einsum", "glu", "zero", "outer", "var_mean", "std_mean", "_assert_tensor_metadata"}
FUNCTIONS: dict[str, Any] = {  # of sizes
    "math.trunc": math.trunc,
    **{f"torch.sym_{name}": getattr(torch, f"sym_{name}") for name in ("int", "float", "max", "min", "not")},
    **{f"_operator.{name}": getattr(operator, name) for name in ("add", "sub", "mul", "floordiv", "truediv", "mod", "neg", "pos")},
    **{f"_operator.{name}": getattr(operator, name) for name in ("eq", "ne", "le", "ge", "lt", "gt", "and_", "or_")},
}  # fmt: skip
NO_GRADIENTS = "torch.ops.higher_order.wrap_with_set_grad_enabled"  # around a graph within the graph
DTYPES = {
    1: torch.uint8, 2: torch.int8, 3: torch.int16, 4: torch.int32, 5: torch.int64, 6: torch.float16, 7: torch.float32,
    8: torch.float64, 10: torch.complex64, 11: torch.complex128, 12: torch.bool, 13: torch.bfloat16,
}  # fmt: skip
NUMBERED: dict[str, dict[int, Any]] = {
    "as_scalar_type": DTYPES,
    "as_layout": {7: torch.strided},
    "as_memory_format": dict(
        enumerate((torch.contiguous_format, torch.channels_last, torch.channels_last_3d, torch.preserve_format), 1)
    ),
}
PLAIN: dict[str, type] = {"as_int": int, "as_float": float, "as_bool": bool, "as_string": str}

Known = dict[str | None, Any]  # what the file's names stand for, nodes and constants; None of an output that is none


def graph_of(said: Mapping[str, Any], tensors: Container[str]) -> fx.Graph:
    """The operations that a file tells, in its order. What runs without gradients there has them here; outputs are the same.

    Args:
        said: the file's ``graph_module``, as JSON has it.
        tensors: the names of parameters and buffers.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: it is none that is known.
    """
    graph, known, specs = fx.Graph(), Known(), said["signature"]["input_specs"]
    (images,) = (spec["user_input"]["arg"]["as_tensor"]["name"] for spec in specs if "user_input" in spec)
    known[images] = graph.placeholder("x")
    for spec in specs:
        ((kind, source),) = spec.items()
        if kind in ("parameter", "buffer", "tensor_constant"):
            if (name := source[f"{kind}_name"]) not in tensors:
                raise ValueError(f"there is no tensor {name!r}")
            known[source["arg"]["name"]] = graph.get_attr(name)
        elif kind != "user_input":
            raise ValueError(f"{kind} is no input of a network")
    if any(spec.keys() != {"user_output"} for spec in said["signature"]["output_specs"]):
        raise ValueError("it changes its own tensors")
    _run(graph, said["graph"]["nodes"], known)
    outputs = [_value(one, known) for one in said["graph"]["outputs"]]
    (form,) = (entry["signature"]["out_spec"] for entry in said["module_call_graph"] if entry["fqn"] == "")
    graph.output(_formed(json.loads(form)[1], iter(outputs)))
    return graph


def operator_of(name: str) -> Any:
    """What a file calls by this name: operations that `pruneexp.network.operations` lists, those of ATen's core and its pointwise ones,
    in place or not, and what is done with sizes. None of them touches more than tensors and numbers.

    Raises:
        ValueError: it is something else.
    """
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    if (aten := ATEN.fullmatch(name)) and _is_known(aten[1]):
        found = getattr(getattr(torch.ops.aten, aten[1]), aten[2])
        if isinstance(found, torch._ops.OpOverload):
            return found
    raise ValueError(f"{name} is no operation that is known")


def _is_known(name: str) -> bool:
    plain = name.rstrip("_")
    if kind_of(name) or name in BESIDE or plain in BESIDE:
        return True
    family = getattr(torch.ops.aten, plain, None)
    overloads = [] if family is None else [getattr(family, overload) for overload in family.overloads()]
    return any({torch.Tag.core, torch.Tag.pointwise} & set(one.tags) for one in overloads)


def _run(graph: fx.Graph, nodes: Sequence[Mapping[str, Any]], known: Known) -> None:
    """Add operations to the graph, and what they give to what is known."""
    for node in nodes:
        outputs = node["outputs"]
        if listed := len(outputs) == 1 and "as_tensors" in outputs[0]:
            outputs = [{"as_tensor": one} for one in outputs[0]["as_tensors"]]
        if node["target"] == NO_GRADIENTS:  # its graph is put among the others
            _, body, *given = (one["arg"] for one in node["inputs"])
            within = body["as_graph"]["graph"]
            inner = {_name(one): _value(value, known) for one, value in zip(within["inputs"], given, strict=True)}
            _run(graph, within["nodes"], inner)
            values = [_value(one, inner) for one in within["outputs"]]
        else:
            target = operator_of(node["target"])
            arguments = [(one["name"], _value(one["arg"], known)) for one in node["inputs"]]
            values = [graph.call_function(target, *_arguments(target, arguments))]
            if listed or len(outputs) > 1:
                values = [graph.call_function(operator.getitem, (values[0], k)) for k in range(len(outputs))]
        known |= dict(zip(map(_name, outputs), values, strict=bool(outputs)))  # an assertion has none


def _arguments(target: Any, given: list[tuple[str, Any]]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """As they stand in the operator's schema: by place up to the first that is left out."""
    if not isinstance(target, torch._ops.OpOverload):
        return tuple(value for _, value in given), {}
    named, args, schema = dict(given), list[Any](), target._schema.arguments
    if strange := named.keys() - {argument.name for argument in schema}:  # it would stand in the graph's source text
        raise ValueError(f"{target} takes no {min(strange)!r}")
    for k, argument in enumerate(schema):
        if argument.name in named and len(args) == k and not argument.kwarg_only:
            args.append(named.pop(argument.name))
    return tuple(args), named


def _name(output: Mapping[str, Any]) -> str | None:
    """What an output is called; None of one that is none."""
    ((kind, said),) = output.items()
    if kind not in ("as_none", "as_tensor", "as_sym_int", "as_sym_bool", "as_sym_float"):
        raise ValueError(f"{kind} is no output of an operation")
    return None if kind == "as_none" else str(said["name" if kind == "as_tensor" else "as_name"])


def _value(argument: Mapping[str, Any], known: Known) -> Any:
    """An argument of an operation: what a name stands for, or a constant."""
    ((kind, said),) = argument.items()
    if kind in PLAIN:
        if PLAIN[kind] is float and (type(said) is int or said in ("Infinity", "-Infinity", "NaN")):
            return float(said)
        if type(said) is not PLAIN[kind]:
            raise ValueError(f"{said!r} is not of type {kind}")
        return said
    if kind[:-1] in PLAIN:  # as_ints
        return [_value({kind[:-1]: one}, known) for one in said]
    if kind in ("as_tensor", "as_name"):
        return known[said["name"] if kind == "as_tensor" else said]
    if kind == "as_tensors":
        return [known[one["name"]] for one in said]
    if kind in ("as_sym_int", "as_sym_float", "as_sym_bool", "as_optional_tensor"):
        return _value(said, known)
    if kind in ("as_sym_ints", "as_sym_floats", "as_sym_bools", "as_optional_tensors"):
        return [_value(one, known) for one in said]
    if kind in NUMBERED:
        return NUMBERED[kind][said]
    if kind == "as_none" or (kind == "as_device" and said["type"] == "cpu"):
        return None if kind == "as_none" else torch.device("cpu")
    raise ValueError(f"{kind} is no argument that is known")


def _formed(form: Mapping[str, Any], outputs: Iterator[Any]) -> Any:
    """What the network returns, as torch's pytree tells it; of a class that is no list, tuple or dict the dict of its entries."""
    kind, parts = form["type"], form["children_spec"]
    if kind is None:
        return next(outputs)
    made = [_formed(part, outputs) for part in parts]
    if kind in ("builtins.list", "builtins.tuple"):
        return made if kind == "builtins.list" else tuple(made)
    names = json.loads(form["context"])
    if not isinstance(names, list) or not all(type(name) in (str, int) for name in names):
        raise ValueError(f"{kind} is nothing that a network returns")
    return dict(zip(names, made, strict=True))
