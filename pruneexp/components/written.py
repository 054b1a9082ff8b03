"""The options of pruneexp's own components as their source says them, which is read and not imported: nothing here brings torch along."""

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pruneexp.components.options import CONTRACT
from pruneexp.system.shipped import PACKAGE

OWN = "pruneexp."
FLAGS = ("true", "false")


@dataclass(frozen=True)
class Written:
    """One option.

    Attributes:
        default: as it is typed; None where there is none, and a value must be given.
        values: all of them, as they are typed, where there are few.
    """

    default: str | None
    values: tuple[str, ...]


@functools.cache
def written_options(target: str, kind: str) -> dict[str, Written]:
    """The options of a function or class of pruneexp by name, without the arguments that the program supplies.

    Args:
        target: its dotted name; of one from elsewhere nothing is known.
        kind: as for `pruneexp.components.options.About`.
    """
    module, _, name = target.rpartition(".")
    made = _defined(module).get(name)
    if isinstance(made, ast.ClassDef):
        inside = {node.name: node for node in made.body if isinstance(node, ast.FunctionDef)}
        made = inside.get("__init__", made)
    supplied = {"self", *CONTRACT.get(kind, ())}
    return {
        name: Written(None if default is None else typed(_value(default)), tuple(_values(hint, home)))
        for name, hint, default, home in _arguments(made, module)
        if name not in supplied
    }


def typed(value: Any) -> str:
    """A value as it is typed on a command line."""
    if value is None:
        return "null"
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(typed, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


@functools.cache
def _defined(module: str) -> dict[str, Any]:
    """What a module of pruneexp defines by name: functions, classes, the values of constants, and imports."""
    path = PACKAGE.joinpath(*module.removeprefix(OWN).split(".")).with_suffix(".py")
    if not module.startswith(OWN) or not path.is_file():
        return {}
    found: dict[str, Any] = {}
    for node in ast.parse(Path(path).read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found[node.name] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node.value
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: node for alias in node.names}
    return found


def _named(name: str, module: str) -> tuple[Any, str]:
    """What a name stands for in a module of pruneexp, and the module that defines it; None where that is none of pruneexp."""
    found = _defined(module).get(name)
    if isinstance(found, ast.ImportFrom):
        return _named(name, found.module) if found.module is not None else (None, module)
    return found, module


def _arguments(made: ast.AST | None, module: str) -> Iterator[tuple[str, ast.AST | None, ast.AST | None, str]]:
    """Name, annotation and default of a function's arguments, or of a dataclass's fields, and the module that says so."""
    if isinstance(made, ast.ClassDef):
        for base in made.bases:
            yield from _arguments(*_named(ast.unparse(base), module))
        for node in made.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                yield node.target.id, node.annotation, node.value, module
    elif isinstance(made, ast.FunctionDef):
        given = made.args
        defaults = [None] * (len(given.args) - len(given.defaults)) + given.defaults
        for argument, default in zip([*given.args, *given.kwonlyargs], [*defaults, *given.kw_defaults], strict=True):
            yield argument.arg, argument.annotation, default, module


def _value(default: ast.AST) -> Any:
    """A default; of a dataclass's ``field(default_factory=dict)`` what is made."""
    return {} if isinstance(default, ast.Call) else ast.literal_eval(ast.unparse(default))


def _values(hint: ast.AST | None, module: str) -> Iterator[str]:
    """The values that an annotation allows, where it names them, itself or by a name that its module defines or imports."""
    if isinstance(hint, ast.Name):
        named, home = _named(hint.id, module)
        if hint.id == "bool":
            yield from FLAGS
        elif isinstance(named, ast.expr):
            yield from _values(named, home)
    elif isinstance(hint, ast.BinOp):
        yield from (*_values(hint.left, module), *_values(hint.right, module))
    elif isinstance(hint, ast.Subscript) and ast.unparse(hint.value) in ("Literal", "Annotated"):
        parts = hint.slice.elts if isinstance(hint.slice, ast.Tuple) else [hint.slice]
        for part in parts if ast.unparse(hint.value) == "Literal" else parts[:1]:
            yield from [typed(part.value)] if isinstance(part, ast.Constant) else _values(part, module)
