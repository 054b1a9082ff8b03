"""Values checked against an annotation: which ones it allows, in words, and what a value becomes.

A parameter's annotation, with bounds and words beside it (`typing.Annotated`), says which values an option takes; pydantic checks them.
"""

import functools
import json
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from pruneexp.errors import UserError

LISTS = (tuple, list, Sequence)
CHOICES = (Literal, Union, types.UnionType)
NAMES: dict[Any, str] = {
    bool: "true or false", int: "a whole number", float: "a finite number", str: "text", type(None): "null",
    dict: "a mapping", Mapping: "a mapping", Callable: "a component: a mapping with _target_",
}  # fmt: skip


@dataclass(frozen=True)
class Words:
    """Beside a type in an annotation: which values are allowed, in words that follow "must be"."""

    text: str


@dataclass(frozen=True)
class Place:
    """Beside a type in an annotation: the value says where something lies on this machine; others are not told it."""


@dataclass(frozen=True)
class Content(Place):
    """Beside a type in an annotation: the value says where data lies, and a cell's key has what lies there, not where it does.

    Attributes:
        digest: tells one content from another, of a value; raises UserError where nothing of the kind lies there.
    """

    digest: Callable[[str], str]


LARGEST = 1_000_000_000  # nothing here is as large: a larger number is a slip, and would overflow somewhere
Count = Annotated[int, Field(ge=1, le=LARGEST)]  # 1, 2, ...
Natural = Annotated[int, Field(ge=0, le=LARGEST)]  # 0, 1, ...
Positive = Annotated[float, Field(gt=0, le=LARGEST)]
NonNegative = Annotated[float, Field(ge=0, le=LARGEST)]
Label = Annotated[  # names of files and folders are made of it
    str,
    Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*$", max_length=64),
    Words("text of at most 64 of A-Z, a-z, 0-9, '.', '_', '+' and '-', the first none of '.', '+' and '-'"),
]
Line = Annotated[
    str,
    Field(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=1024),
    Words("one line of text, of at most 1024 characters"),
]


def value_of(where: str, hint: Any, value: Any) -> Any:
    """`value` as the annotation has it: a whole number is a float where a float is declared, a list a tuple where a tuple is.

    Raises:
        UserError: it is not allowed.
    """
    try:
        return _adapter(hint).validate_json(json.dumps(_jsonable(value)))
    except (ValidationError, ValueError, TypeError) as error:
        found = error.errors(include_url=False) if isinstance(error, ValidationError) else []
        most = f", at most {LARGEST}" if any(one.get("ctx", {}).get("le") == LARGEST for one in found) else ""
        raise UserError(f"{where} must be {allowed(hint)}{most}, got {shown(value)}.") from error


@functools.cache
def _adapter(hint: Any) -> TypeAdapter[Any]:
    # JSON has no tuples, so that strict validation takes a list for one
    return TypeAdapter(hint, config=ConfigDict(strict=True, allow_inf_nan=False))


def _jsonable(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    return value


def shown(value: Any) -> str:
    """A value as a sentence says it, in at most 80 characters of one line."""
    text = "null" if value is None else " ".join(line.strip() for line in repr(value).splitlines())
    return text if len(text) <= 80 else f"{text[:77]}..."


def is_plain(hint: Any) -> bool:
    """Whether values of this annotation can stand in a YAML file."""
    if get_origin(hint) is Annotated:
        return is_plain(get_args(hint)[0])
    if get_origin(hint) is Literal or hint in (bool, int, float, str, type(None)):
        return True
    if get_origin(hint) in (*LISTS, *CHOICES, dict, Mapping):
        return all(is_plain(part) for part in get_args(hint) if part is not Ellipsis)
    return False


def content_of(hint: Any) -> Content | None:
    """What stands in an annotation beside the type of a value that says where data lies."""
    beside = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return next((one for one in beside if isinstance(one, Content)), None)


def allowed(hint: Any) -> str:
    """Which values an annotation allows, in words that follow "must be"; the bound of all numbers, `LARGEST`, is left out."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        for extra in reversed(parts[1:]):
            if isinstance(extra, Words):
                return extra.text
        return _bounded(parts[0], [bound for extra in parts[1:] for bound in getattr(extra, "metadata", [extra])])
    if origin is Literal:
        *most, last = map(str, parts)
        return f"{', '.join(most)} or {last}" if most else last
    if origin in CHOICES:
        return " or ".join(dict.fromkeys(map(allowed, parts)))
    if origin is tuple and Ellipsis not in parts:
        return f"a list of {len(parts)}, each {allowed(parts[0])}"
    if origin in LISTS:
        return f"a list, each {allowed(parts[0])}"
    return _bounded(hint, [])


def _bounded(hint: Any, bounds: Sequence[Any]) -> str:
    """A type's name and the bounds of its values."""
    if get_origin(hint) in LISTS or get_origin(hint) in CHOICES:
        words = allowed(hint)
    else:
        words = NAMES.get(get_origin(hint) or hint, "text or a number")
    said = []
    for bound in bounds:
        match bound:
            case annotated_types.Ge(ge=least):
                said.append(f"at least {least}")
            case annotated_types.Gt(gt=least):
                said.append(f"above {least}")
            case annotated_types.Le(le=most) if most != LARGEST:
                said.append(f"at most {most}")
            case annotated_types.Lt(lt=most):
                said.append(f"below {most}")
            case annotated_types.MinLen(min_length=1):
                said.append("not empty")
    return f"{words}, {' and '.join(said)}" if said else words
