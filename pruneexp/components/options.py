"""Options checked where they are declared: in the signature of the function or class that takes them.

A component - a scorer, masker, model, data set, recipe ... - is a function or class. Its parameters are its options, but for those
that the program supplies (`CONTRACT`); a parameter's annotation says which values it takes, its default is the only place where a
default stands. `component` gives it the name and version that cells know it by.
"""

import dataclasses
import functools
import inspect
import types
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, dataclass
from typing import Any, TypeVar, get_type_hints

from pruneexp.components.values import allowed, is_plain, value_of
from pruneexp.errors import UserError, unknown

Target = TypeVar("Target", bound=Callable[..., Any])
CALLED_IN_ORDER = {  # what the program calls without the arguments' names
    "scorer": ("model", "batches", "generator"),
    "masker": ("layers", "density", "generator", "notes"),
}
CONTRACT = {  # the arguments that the program supplies, by what a component is
    "scorer": CALLED_IN_ORDER["scorer"],
    "masker": (*CALLED_IN_ORDER["masker"], "counts"),
    "allocation": ("layers", "count", "density", "notes", "kept_by"),
    "model": ("num_classes", "input_shape"),
    "dataset": ("data_dir",),
    "source": ("data_dir", "name"),
    "treatment": (
        "scores",
        "masks",
        "network",
        "wiring",
        "generator",
        "seed",
        "initialisation",
        "batchnorm_init",
        "notes",
    ),
    "measurement": ("network", "masks", "trainee", "input_shape", "device"),
    "column": ("table",),
    "figure": ("table", "cells", "layers", "titles", "stem", "title", "command"),
}
# functions that the program calls when it has their arguments
CALLED_LATER = ("scorer", "masker", "allocation", "source", "treatment", "measurement", "column", "figure")
MADE_AT_ONCE = ("dataset", "model", "recipe", "trainer", "launcher", "mask_update")  # those whose result it works with
HYDRA = ("_target_", "_partial_")  # what of a configuration says how it is called


@dataclass(frozen=True)
class About:
    """What a component says of itself.

    Attributes:
        kind: scorer, masker, allocation, mask_update, model, dataset, source, treatment, measurement, column, figure, recipe, trainer,
            launcher.
        name: that its cells are known by.
        version: raised when a default or what it computes changes.
        needs_scores: of a masker or an allocation: whether it looks at scores.
        meant: of a masker: by an allocation's name the options of its own that mean the same, so that both ways of saying it are one cell.
        own_density: of a masker: whether its construction gives the density, whatever is asked for.
        removes_neurons: of a masker: whether what it prunes is taken out, and a smaller network trained.
        together: called with all options by name; raises UserError where some of them exclude each other.
        beside: of a treatment: called with the schema's options; raises UserError where one of them excludes it.
        provides: of a measurement: the field of the record, dotted where it is nested, that tells that it was made.
    """

    kind: str
    name: str
    version: int = 1
    needs_scores: bool = True
    meant: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    own_density: bool = False
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
