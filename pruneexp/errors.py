"""The one exception that stands for a mistake the user can put right, and checks of numbers that raise it."""

import math
from numbers import Integral


class UserError(Exception):
    """What was wrong, which values are allowed and how to fix it, in one sentence.

    The command line prints the sentence and exits with code 2; from Python it is an ordinary exception.
    """


def first_line(error: BaseException) -> str:
    """What another library's error says in its first line, to be put into a sentence; its type if it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def whole_number(name: str, value: object, least: int) -> None:
    """Raise UserError unless `value` is a whole number, numpy's included, from `least` on."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise UserError(f"{name} must be a whole number, at least {least}, got {value}.")


def true_or_false(name: str, value: object) -> None:
    """Raise UserError unless `value` is a bool."""
    if not isinstance(value, bool):
        raise UserError(f"{name} must be true or false, got {value!r}.")


def integer(name: str, value: object) -> None:
    """Raise UserError unless `value` is a whole number of any size; for numbers with conditions of their own."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise UserError(f"{name} must be a whole number, got {value!r}.")


def real_number(name: str, value: object, positive: bool = False) -> None:
    """Raise UserError unless `value` is a finite number that is not negative, and not zero either if `positive`."""
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
    if not math.isfinite(number) or number < 0 or (positive and number == 0):
        raise UserError(f"{name} must be a finite number, {'above 0' if positive else 'at least 0'}, got {value}.")
