"""Treatments of a cell, one after another: each says by its first argument what it treats, scores, masks or the network."""

from collections.abc import Mapping
from typing import Any, Literal

from pruneexp.components.component import Component
from pruneexp.seeding import stream

Treated = Literal["scores", "masks", "network"]


def treats(treatment: Component) -> str:
    """What a treatment treats: the first of the program's arguments that its signature names; nothing where it names none."""
    return treatment.asks[0] if treatment.asks else ""


def asked_for(argument: str, what: Treated, treatments: Mapping[str, Component]) -> bool:
    """Whether a treatment of scores, masks or the network takes an argument, so that it is worth being made."""
    return any(treats(one) == what and argument in one.asks for one in treatments.values())


def treat(
    what: Treated, value: Any, treatments: Mapping[str, Component], seed: int, part: str = "", **offered: Any
) -> Any:
    """`value` after every treatment of its kind, in the order of their names.

    Args:
        what: what `value` is.
        value: scores, masks or a network.
        treatments: by name; those of something else are left out.
        seed: each treatment's random stream is (seed, its name, part).
        part: the density.
        offered: what else the program has for them, by argument.
    """
    for name in sorted(treatments):
        if treats(treatments[name]) == what:
            generator = stream(seed, name, part)
            value = treatments[name].call(**offered, **{what: value}, seed=seed, generator=generator)
    return value
