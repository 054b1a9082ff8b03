"""Options checked where they are declared: in the signature of the function or class that takes them.

A component - a scorer, masker, model, data set, recipe ... - is a function or class. Its parameters are its options, but for those
that the program supplies (`CONTRACT`); a parameter's annotation says which values it takes, its default is the only place where a
default stands. `component` gives it the name and version that cells know it by.
"""

import dataclasses
import functools
import inspect
import json
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, dataclass
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import annotated_types
import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from pruneexp.errors import UserError, unknown

Target = TypeVar("Target", bound=Callable[..., Any])
CONTRACT = {  # the arguments that the program supplies, by what a component is
    "scorer": ("model", "batches", "generator"),
    "masker": ("layers", "density", "generator", "notes"),
    "model": ("num_classes", "input_shape"),
    "dataset": ("data_dir",),
    "source": ("data_dir", "name"),
    "treatment": ("scores", "masks", "network", "wiring", "generator", "seed", "initialisation", "notes"),
    "measurement": ("network", "masks", "trainee", "input_shape", "device"),
    "figure": ("table", "layers", "stem", "title", "command"),
}
# functions that the program calls when it has their arguments
CALLED_LATER = ("scorer", "masker", "source", "treatment", "measurement", "figure")
MADE_AT_ONCE = ("dataset", "model", "recipe", "trainer", "launcher")  # those whose result it works with
LISTS = (tuple, list, Sequence)
CHOICES = (Literal, Union, types.UnionType)
NAMES: dict[Any, str] = {
    bool: "true or false", int: "a whole number", float: "a finite number", str: "text", type(None): "null",
    dict: "a mapping", Mapping: "a mapping", Callable: "a component: a mapping with _target_",
}  # fmt: skip
HYDRA = ("_target_", "_partial_")  # what of a configuration says how it is called


@dataclass(frozen=True)
class Words:
    """Beside a type in an annotation: which values are allowed, in words that follow "must be"."""

    text: str


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


@dataclass(frozen=True)
class About:
    """What a component says of itself.

    Attributes:
        kind: scorer, masker, model, dataset, source, treatment, measurement, figure, recipe, trainer, launcher.
        name: that its cells are known by.
        version: raised when a default or what it computes changes.
        needs_scores: of a masker: whether it looks at scores.
        removes_neurons: of a masker: whether what it prunes is taken out, and a smaller network trained.
        together: called with all options by name; raises UserError where some of them exclude each other.
        beside: of a treatment: called with the schema's options; raises UserError where one of them excludes it.
        provides: of a measurement: the field of the record, dotted where it is nested, that tells that it was made.
    """

    kind: str
    name: str
    version: int = 1
    needs_scores: bool = True
    removes_neurons: bool = False
    together: Callable[..., None] | None = None
    beside: Callable[[Any], None] | None = None
    provides: str = ""


def component(kind: str, name: str | None = None, **more: Any) -> Callable[[Target], Target]:
    """Declare a function or class as a component, and have its options checked at each call.

    Args:
        kind: as for `About`.
        name: that of the function unless given.
        more: the other attributes of `About`.
    """

    def declare(target: Target) -> Target:
        declared: Any = checked(target, CONTRACT.get(kind, ()))
        declared.about = About(kind, name or target.__name__, **more)
        return declared

    return declare


def checked(target: Target, supplied: Collection[str] = ()) -> Target:
    """Have a function's options, or those of a class's constructor, checked and made the declared types at each call.

    Arguments of other types than numbers, text, booleans, choices, and lists and mappings of them, pass as they are.

    Args:
        target: the function or class.
        supplied: names of arguments that are no options.

    Raises:
        UserError: at a call, for a value that the annotation does not allow.
    """
    if isinstance(target, type):
        target.__init__ = _checked(target.__init__, target.__name__, supplied)  # type: ignore[misc]
        return target
    return _checked(target, target.__name__, supplied)


def _checked(function: Any, name: str, supplied: Collection[str]) -> Any:
    signature = inspect.signature(function)

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind_partial(*args, **kwargs)
        hints = _hints(function)
        for option, value in given.arguments.items():
            if option in hints and option not in supplied and is_plain(hints[option]):
                given.arguments[option] = value_of(f"{name}'s {option}", hints[option], value)
        return function(*given.args, **given.kwargs)

    return wrapper


@functools.cache
def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a function's parameters; `Any` for one that names what is only there for a type checker."""
    bare: Any = inspect.unwrap(function)
    while isinstance(bare, functools.partial):
        bare = inspect.unwrap(bare.func)
    space, found = getattr(bare, "__globals__", {}), {}
    for name, hint in getattr(bare, "__annotations__", {}).items():
        if name != "return":
            try:
                alone = types.SimpleNamespace(__annotations__={name: hint})
                found[name] = get_type_hints(alone, space, include_extras=True)[name]
            except NameError:
                found[name] = Any
    return found


@dataclass(frozen=True)
class Option:
    """One option of a component: the annotation, and the default (`inspect.Parameter.empty` where there is none)."""

    hint: Any
    default: Any

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty


@functools.cache
def options_of(target: Callable[..., Any], kind: str) -> dict[str, Option]:
    """A component's options by name, from its signature."""
    function: Any = target.__init__ if isinstance(target, type) else target  # type: ignore[misc]
    hints = _hints(function)
    made = (
        {field.name: field.default_factory for field in dataclasses.fields(target)}
        if dataclasses.is_dataclass(target)
        else {}
    )
    return {
        name: Option(
            hints.get(name, Any), parameter.default if (make := made.get(name, MISSING)) is MISSING else make()
        )
        for name, parameter in inspect.signature(target).parameters.items()
        if name not in CONTRACT.get(kind, ())
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }


def called_with(target: Callable[..., Any], kind: str) -> list[str]:
    """Which arguments a scorer, masker or source needs of the program, when it is called; none for one that something else makes."""
    parameters = inspect.signature(target).parameters if kind in CALLED_LATER else {}
    return [
        name for name, one in parameters.items() if name in CONTRACT[kind] and one.default is inspect.Parameter.empty
    ]


def offered_to(target: Callable[..., Any], kind: str) -> tuple[str, ...]:
    """Which of the arguments that the program has for a component of this kind its signature names, in the signature's order."""
    return tuple(name for name in inspect.signature(target).parameters if name in CONTRACT.get(kind, ()))


def takes_others(target: Callable[..., Any]) -> bool:
    """Whether a component takes options that its signature does not name."""
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in inspect.signature(target).parameters.values())


def check_options(
    where: str, target: Callable[..., Any], kind: str, given: Mapping[str, Any], made: Collection[str] = ()
) -> dict[str, Any]:
    """The given options of a component, each of its declared type.

    Args:
        where: what they belong to, for the sentences: ``scorer``.
        target, kind: the component.
        given: values by name, without Hydra's own.
        made: names of other options that have their value elsewhere.

    Raises:
        UserError: an option that does not exist, is missing, or has a value that is not allowed.
    """
    options = options_of(target, kind)
    for name in given:
        if name not in options and not takes_others(target):
            raise UserError(unknown("option", str(name), options, f"{where}."))
    for name, option in options.items():
        if option.required and name not in given and name not in made:
            raise UserError(f"{where}.{name} is missing: it must be {allowed(option.hint)}.")
    return {
        name: value_of(f"{where}.{name}", options[name].hint, value) if name in options else value
        for name, value in given.items()
    }


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
    text = "null" if value is None else repr(value)
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
