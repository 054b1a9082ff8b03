"""The grid that an experiment declares, and which words of a command line narrow or change it: what a report is called.

A report is of the whole declared grid, however many parts it was made in. Words that choose some of its values - ``seed=0``,
``masker=erk`` where the experiment sweeps it, fewer densities - make a part of it; other words make another grid.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pruneexp.cell import CHOICES, SEVERAL, digest, marked
from pruneexp.jobs.composing import Composed, composed
from pruneexp.jobs.overrides import Parser
from pruneexp.jobs.places import without_places
from pruneexp.jobs.words import GROUP_OF, typed

# what has no part in which cells there are
BESIDE = (*marked("command"), "name", "launcher", "logger", "measurement", "figure", "hydra")
OF_TRAINER = ("trainer", "trainer.devices")  # its other options have none either: a report has rows of either precision
PRECISION = ("trainer.precision", "trainer.accelerator")
ORDER = [*CHOICES, "treatment", *marked("identity"), "trainer", "densities", "seed"]
LONGEST = 96  # characters of a file's name, before what tells the report's files apart


@dataclass(frozen=True)
class Declared:
    """How a command line's grid stands to the declared one.

    Attributes:
        name: the experiment's.
        changes: words that make another grid of it.
        narrows: words that choose a part of it.
        others: words that have no part in it.
    """

    name: str = ""
    changes: tuple[str, ...] = ()
    narrows: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def whole(self) -> list[str]:
        """The words of the whole grid."""
        return [*self.others, *self.changes]

    def title(self, words: Sequence[str] = ()) -> str:
        """The name and, in brackets, the changes and further words: ``quickstart[recipe.epochs=1]``."""
        told = sorted(map(_said, (*self.changes, *words)), key=_place)
        return f"{self.name}[{','.join(told)}]" if told else self.name


def stem_of(title: str) -> str:
    """A report's title as the name of its files, of A-Z, a-z, 0-9 and ``._+=-``; a long one ends with its digest."""
    name, _, told = title.partition("[")
    name = re.sub(r"[^A-Za-z0-9._+=-]+", "_", name).lstrip(".+-") or "_"  # of a folder it may be anything
    told = re.sub(r"(?<=\w)\[(?=[\w.]+=)", "-", told)  # of another report's name, where it is several together
    parts = re.split(r",(?=[\w.]+=)", told.removesuffix("]")) if told else []
    plain = "+".join(re.sub(r"[^A-Za-z0-9.+=-]+", "_", re.sub(r"[][{}'\" ]", "", part)) for part in parts)
    stem = f"{name}-{plain}" if plain else name
    return stem if len(stem) <= LONGEST else f"{stem[: LONGEST - 9]}-{digest(title)[:8]}"


def declared(parser: Parser, primary: str, overrides: Sequence[Override], name: str) -> Declared:
    """Compare a command line with the experiment that it names.

    Args:
        parser: of overrides.
        primary: the name of the configuration that overrides are applied to.
        overrides: of one experiment, as typed.
        name: that the report has.
    """
    kept = [
        one for one in overrides if one.key_or_group == "experiment" or one.key_or_group.startswith("hydra.searchpath")
    ]
    left = [one for one in overrides if one not in kept]
    found: dict[str, list[str]] = {"changes": [], "narrows": [], "others": [str(one.input_line) for one in kept]}
    if any(not _is_beside(one.key_or_group) or one.is_sweep_override() for one in left):
        experiment = Experiment(parser, composed(primary, [str(one.input_line) for one in kept]))
        for one in left:
            if (kind := experiment.kind(one)) is not None:
                found[kind].append(str(one.input_line))
    else:
        found["others"] += [str(one.input_line) for one in left]
    return Declared(name, **{kind: tuple(words) for kind, words in found.items()})


class Experiment:
    """What an experiment declares.

    Args:
        parser: of overrides.
        own: composed of the experiment alone.
    """

    def __init__(self, parser: Parser, own: Composed) -> None:
        self.config, self.chosen, params = own.config, own.choices, own.params
        self.swept = {
            one.key_or_group: set(_values(one)) for one in parser.parse([f"{k!s}={v!s}" for k, v in params.items()])
        }

    def kind(self, override: Override) -> str | None:
        """``changes``, ``narrows`` or ``others``; None for a word that says what the experiment says."""
        name = override.key_or_group
        if _is_beside(name):
            # of two precisions that are swept a report's grid has each cell once
            return "narrows" if name in PRECISION and override.is_sweep_override() else "others"
        if override.is_delete() or override.package is not None:
            return "changes"
        values = set(_values(override))
        if name == "trainer.devices" and values == {"1"}:
            return None  # as without it
        if name in self.swept:
            return None if values == self.swept[name] else "narrows" if values < self.swept[name] else "changes"
        if name == "densities":
            asked, own = set(_numbers(override)), set(self.config.densities)
            return None if asked == own else "narrows" if asked < own else "changes"
        return None if values == {self._said(name)} else "changes"

    def _said(self, name: str) -> str:
        """What the experiment says of an option, or chooses of a group."""
        if name in SEVERAL:
            return _plain(list(self.config.get(name) or {}))
        chosen = self.chosen.get(name)
        return chosen if isinstance(chosen, str) else _plain(self._value(name))

    def _value(self, name: str) -> Any:
        try:
            return OmegaConf.select(self.config, name, throw_on_missing=False)
        except OmegaConfBaseException:
            return None


def _is_beside(name: str) -> bool:
    head = name.split(".")[0]
    return GROUP_OF.get(head, head) in BESIDE or (name.startswith("trainer.") and name not in OF_TRAINER)


def _values(override: Override) -> Iterator[str]:
    """Each of an override's values, as text."""
    if override.is_sweep_override():
        yield from (word.strip() for word in override.sweep_string_iterator())
    else:
        yield _plain(override.value())


def _numbers(override: Override) -> Iterator[Any]:
    """The densities of all lists that an override names."""
    lists = override.sweep_iterator() if override.is_sweep_override() else [override.value()]
    for one in lists:
        yield from one if isinstance(one, list) else [one]


def _plain(value: Any) -> str:
    if OmegaConf.is_config(value):
        value = OmegaConf.to_container(value)
    return f"[{','.join(map(_plain, value))}]" if isinstance(value, (list, tuple)) else str(value)


def _said(word: str) -> str:
    """A word as the title has it: as typed, of a path the last part."""
    name, _, value = "".join(without_places([typed(word)])).lstrip("+").partition("=")
    value = value.strip("'\"")
    return f"{name}={value.rstrip('/').rpartition('/')[2] or value}"


def _place(word: str) -> tuple[int, bool, str]:
    head, dot, _ = word.partition("=")[0].partition(".")
    return ORDER.index(head) if head in ORDER else len(ORDER), bool(dot), word
