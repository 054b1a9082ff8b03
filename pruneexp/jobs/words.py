"""The words of a command line: as a user types them, and as Hydra takes them."""

import re
from collections.abc import Collection, Sequence

from pruneexp.cell import CHOICES, SEVERAL
from pruneexp.errors import UserError

OF_COMPONENT = re.compile(rf"({'|'.join((*CHOICES, *SEVERAL, 'trainer', 'launcher'))})(\.\w+)+=")
# options of earlier versions that are choices of a group now: by option and value, the group's file and the name that it stands under
NOW: dict[str, dict[str, tuple[str, str] | None]] = {
    **{name: {"true": ("treatment", name), "false": None} for name in ("invert", "shuffle", "reinit")},
    "repair": {"none": None, "paths": ("treatment", "repair")},
    "latency": {"true": ("measurement", "latency"), "false": None},
    "topology": {"none": None, "ramanujan": ("measurement", "ramanujan"), "full": ("measurement", "topology")},
}
# the group that each of them is a choice of
GROUP_OF = {name: next(choice[0] for choice in choices.values() if choice) for name, choices in NOW.items()} | {
    "figures": "figure"
}


def opened(argument: str) -> str:
    """An override that may add an option: those of components stand in their signatures, not in their files."""
    return f"++{argument}" if OF_COMPONENT.match(argument) else argument


def typed(override: str) -> str:
    """The override as a user types it."""
    return override[2:] if override.startswith("++") and OF_COMPONENT.match(override[2:]) else override


def of_today(override: str) -> list[str]:
    """The override in today's words: ``shuffle=true`` is ``+treatment@treatment.shuffle=shuffle``, ``shuffle=false`` nothing.

    Raises:
        UserError: a value that the option never had.
    """
    name, value = name_of(override), override.partition("=")[2]
    if name == "figures":
        return [f"{GROUP_OF[name]}={value}"]
    if name not in NOW:
        return [override]
    value = value.lower() if value.lower() in ("true", "false") else value
    if value not in NOW[name]:
        *most, last = NOW[name]
        raise UserError(
            f"{name} must be {', '.join(most)} or {last}, got {value!r}; it is a choice of {GROUP_OF[name]}= now."
        )
    choice = NOW[name][value]
    return [] if choice is None else [f"+{choice[0]}@{choice[0]}.{choice[1]}={choice[1]}"]


def today(overrides: Sequence[str]) -> list[str]:
    """Overrides in today's words, of several of earlier versions' the last, which counts."""
    return [word for override in last_words(overrides) for word in of_today(override)]


def last_words(overrides: Sequence[str]) -> list[str]:
    """The overrides with only the last of each option of earlier versions, which counts."""
    last = {name: k for k, override in enumerate(overrides) if (name := name_of(override)) in GROUP_OF}
    return [override for k, override in enumerate(overrides) if last.get(name_of(override), k) == k]


def name_of(override: str) -> str:
    return override.lstrip("+").partition("=")[0]


def check_off(overrides: Sequence[str], chosen: Collection[str]) -> None:
    """Raise UserError where an override of earlier versions switches off what the groups' choices have."""
    for override in overrides:
        name = name_of(override)
        if name in NOW and not of_today(override):
            for choice in {one[1] for one in NOW[name].values() if one is not None} & set(chosen):
                group = GROUP_OF[name]
                raise UserError(f"{override}, and {group}= has {choice}: type {group}=[...] without it.")
