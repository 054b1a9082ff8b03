"""Options with a fixed set of values: declared once, as a Literal in the function's signature, and checked from there."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

from pruneexp.errors import UserError

P = ParamSpec("P")
T = TypeVar("T")


def check_choices(function: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Raise UserError for an option whose value is not among those of its Literal in the function's signature."""
    for option, hint in get_type_hints(inspect.unwrap(function)).items():
        if get_origin(hint) is Literal and option in options and options[option] not in get_args(hint):
            *most, last = map(str, get_args(hint))
            name = inspect.unwrap(function).__name__
            raise UserError(f"{name}'s {option} must be {', '.join(most)} or {last}, got {options[option]!r}.")


def checked(function: Callable[P, T]) -> Callable[P, T]:
    """Make `function` check its Literal options at each call."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        check_choices(function, inspect.signature(function).bind_partial(*args, **kwargs).arguments)
        return function(*args, **kwargs)

    return wrapper
