"""Treatments of a cell, one after another: each says by its first argument what it treats, scores, masks or the network."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from pruneexp.components.component import Component

Treated = Literal["scores", "masks", "network"]


def treats(treatment: Component) -> str:
    """What a treatment treats: the first of the program's arguments that its signature names."""
    return treatment.asks[0]


def treat(
    what: Treated,
    value: Any,
    treatments: Mapping[str, Component],
    offered: Callable[[str], Mapping[str, Callable[[], Any]]],
) -> Any:
    """`value` after every treatment of its kind, in the order of their names.

    Args:
        what: what `value` is.
        value: scores, masks or a network.
        treatments: by name; those of something else are left out.
        offered: of a treatment's name, what else the program has for it, by argument.
    """
    for name in sorted(treatments):
        if treats(treatments[name]) == what:
            before = value
            value = treatments[name].call(**{**offered(name), what: lambda: before})  # noqa: B023  (called at once)
    return value
