"""A command line's overrides, parsed as Hydra does: what cannot be read, or means nothing here, is refused in a sentence."""

import importlib.util
import itertools
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from pruneexp.cell import CHOICES, FIELDS, OTHERS, ROOT, SEVERAL, Options, hint, marked
from pruneexp.components.values import shown, value_of
from pruneexp.errors import UserError, first_line
from pruneexp.jobs.combining import SEED, Dimension
from pruneexp.jobs.composing import check_files
from pruneexp.jobs.contents import contents_of
from pruneexp.jobs.words import GROUP_OF, opened

ONCE = (*marked("command"), "name", "launcher", "measurement", "figure")  # options of the whole sweep
MAPPINGS = tuple(
    name for name in FIELDS if isinstance(ROOT[name], dict)
)  # options whose parts are typed NAME.PART=VALUE
TEXTS = tuple(name for name, field in FIELDS.items() if field.annotation is str)  # options that are one line of text
MOST = 100_000  # values of one option: more is a slip
LONGEST = 100_000  # letters of a word: Hydra's parser takes seconds for more
LONGEST_NAME = 200  # letters of what stands before the =
OF_HYDRA = ("hydra.searchpath", "hydra.sweeper.params")


class Parser:
    """Hydra's parser of overrides.

    Args:
        loader: that knows which files there are, for ``masker=glob(*)``.
    """

    def __init__(self, loader: ConfigLoader) -> None:
        self.loader, self.parser = loader, OverridesParser.create(config_loader=loader)

    def parse(self, arguments: Sequence[str]) -> list[Override]:
        """The overrides, of several of one option the last, which counts.

        Raises:
            UserError: one that cannot be read, or that Hydra takes and that means nothing here.
        """
        found = [self._one(opened(argument)) for argument in arguments]
        named = [override for override in found if override.key_or_group == "experiment"]
        if len(named) > 1 or any(isinstance(override.value(), list) for override in named):
            raise UserError(
                "+experiment= names one experiment, or several as in +experiment=A,B: each is then a sweep of its own, with its own"
                f" grid, name and report; got {' '.join(str(override.input_line) for override in named)}."
            )
        last = {override.get_key_element().lstrip("+"): k for k, override in enumerate(found)}
        found = [found[k] for k in sorted(last.values())]
        for override in found:
            _refuse(override)
        return found

    def dimension(self, override: Override) -> Dimension:
        """What an override sweeps; one value of one that does not."""
        name, swept = override.key_or_group, override.is_sweep_override()
        words = tuple(_swept(override)) if swept else (str(override.input_line),)
        if override.package is not None or "/" in name or any("${" in word for word in words):
            return Dimension(words, None)
        if all(SEED.fullmatch(word) for word in words):
            return Dimension(words, frozenset({"seed"}))
        if name in GROUP_OF:
            return Dimension(words, frozenset({GROUP_OF[name]}))
        values = tuple(self.parser.parse_overrides([word])[0].value() for word in words)
        if name in (*CHOICES, *OTHERS, *SEVERAL):
            files = {str(file) for value in values for file in (value if isinstance(value, list) else [value])}
            said = {file: contents_of(self.loader, name, file) for file in files}
            nodes = {name}.union(*(found or () for found in said.values()))
            contents = () if name in SEVERAL else tuple(said[str(value)] or {} for value in values)
            return Dimension(words, None if None in said.values() else frozenset(nodes), contents=contents)
        node, *path = name.split(".")
        if node not in (*FIELDS, *CHOICES, *OTHERS, *SEVERAL) or any(isinstance(value, dict) for value in values):
            return Dimension(words, None)  # Hydra merges a mapping into what is there
        return Dimension(words, frozenset({node}), tuple(path), values)

    def _one(self, text: str) -> Override:
        name = text.partition("=")[0]
        if len(text) > LONGEST or len(name) > LONGEST_NAME:
            raise UserError(
                f"{shown(name)} has {len(text):,} letters: an option has at most {LONGEST:,} of them, and its name {LONGEST_NAME}."
            )
        try:
            return self.parser.parse_overrides([text])[0]
        except HydraException as error:
            raise UserError(self._way_out(text)) from error
        except (RecursionError, ValueError) as error:  # lists in lists, numbers of thousands of digits
            raise UserError(f"{name} cannot be read ({first_line(error)}): type a shorter value.") from error

    def _way_out(self, text: str) -> str:
        """A sentence for an override that Hydra's grammar does not take, with one that it does."""
        name, equals, value = text.removeprefix("++").partition("=")
        if not text.isprintable():
            return f"{text!r} cannot be read: options are typed NAME=VALUE, in one line."
        if not equals or not name:
            return f"{text!r} is no option: options are typed NAME=VALUE, such as seed=0 or masker=greedy,sparsify."
        if value.startswith("~/"):
            home = f'{name}="$HOME{value[1:]}"'
            return f"{name}={value} cannot be read: write the home folder as the shell's variable, as in {home}."
        open_ended = value[:1] in ("[", "{", '"', "'") and name not in TEXTS  # a bracket or a quote that nothing closes
        for quoted in (_listed(value), None if open_ended else _quoted(value)):
            if quoted is not None and self._takes(f"{name}={quoted}"):
                return f"{name}={value} cannot be read as it is: {_put_quotes(name, quoted)}"
        return f"{text!r} cannot be read: options are typed NAME=VALUE, and lists in brackets, such as densities=[0.1,0.02]."

    def _takes(self, text: str) -> bool:
        try:
            return not self.parser.parse_overrides([text])[0].is_sweep_override()
        except HydraException:
            return False


def _swept(override: Override) -> list[str]:
    """An override for each value of one that sweeps."""
    try:
        own = list(itertools.islice(override.sweep_string_iterator(), MOST + 1))
    except (
        ValueError,
        ArithmeticError,
        OmegaConfBaseException,
    ) as error:  # range() without a step, of no number; a choice of choices
        raise UserError(
            f"{override.input_line} cannot be counted ({first_line(error)}): type it as in range(0,3)."
        ) from error
    if len(own) > MOST:
        raise UserError(f"{override.input_line} has more than {MOST:,} values: type fewer.")
    return [f"{override.get_key_element()}={value}" for value in own]


def _put_quotes(name: str, value: str) -> str:
    """What to do, with the very word to type."""
    return f"put quotes around the value, and around those for the shell: {shlex.quote(f'{name}={value}')}."


def _quoted(value: str) -> str:
    return '"' + re.sub(r'(\\*)("|$)', lambda found: 2 * found[1] + ("\\" if found[2] else "") + found[2], value) + '"'


def _listed(value: str) -> str | None:
    """The value with quotes around the parts of a plain list."""
    if not (value.startswith("[") and value.endswith("]")) or re.search(r"[\[\]{}'\"]", value[1:-1]):
        return None
    return f"[{','.join(_quoted(part.strip()) for part in value[1:-1].split(','))}]"


def by_experiment(parser: Parser, overrides: Sequence[Override]) -> list[list[Override]]:
    """The overrides of each experiment that they name; all of them where they name none or one.

    Raises:
        UserError: several are named, and an option that can only be one's.
    """
    for k, override in enumerate(overrides):
        if override.key_or_group == "experiment" and override.is_sweep_override():
            names = list(dict.fromkeys(override.sweep_string_iterator()))
            if not names:
                raise UserError(f"{override.input_line} names no experiment.")
            if len(names) > 1 and any(other.key_or_group == "name" for other in overrides):
                raise UserError(
                    f"name= names one report, and {override.input_line} has {len(names)} experiments: leave it out, each has its own."
                )
            each = (parser.parse([f"{override.get_key_element()}={name}"]) for name in names)
            return [[*overrides[:k], *one, *overrides[k + 1 :]] for one in each]
    return [list(overrides)]


def _refuse(override: Override) -> None:
    """Raise UserError for an override that Hydra takes and that means nothing here."""
    name = override.key_or_group
    if not name:
        raise UserError(f"{str(override.input_line)!r} names no option: options are typed NAME=VALUE, such as seed=0.")
    typed = str(override.input_line).partition("=")[2]
    if override.is_sweep_override() and GROUP_OF.get(name, name.split(".")[0]) in ONCE:
        comma = f"; if that is one, {_put_quotes(name, _quoted(typed))}" if name in TEXTS else "."
        raise UserError(f"{name} has one value for all jobs of a sweep, got several{comma}")
    if name in MAPPINGS and not override.is_delete():
        value_of(name, hint(Options, name), override.value())  # Hydra would merge it into the default
    if name in TEXTS and not override.is_delete() and not override.is_sweep_override():
        value = override.value()
        if not isinstance(value, (str, QuotedString)) or (isinstance(value, str) and typed != typed.strip()):
            raise UserError(f"{name}={typed} is no text as it is: {_put_quotes(name, _quoted(typed))}")
    if override.is_sweep_override() and not override.is_discrete_sweep():
        raise UserError(f"{override.input_line} has no end of values: type some, such as {name}=0.1,0.2.")
    if name.startswith(("hydra.", "hydra/")) and not name.startswith(OF_HYDRA):
        raise UserError(
            f"{name} is Hydra's own and cannot be set, only {' and '.join(OF_HYDRA)}; where jobs run says launcher=."
        )
    if name == "hydra.searchpath" and not override.is_delete():
        _check_searched(override.value())
    if override.is_delete() and name in (*FIELDS, *CHOICES, *OTHERS, *SEVERAL):
        raise UserError(f"{name} cannot be taken away: give it another value.")
    if (name in (*CHOICES, *OTHERS, *SEVERAL, "experiment") or "/" in name) and not override.is_delete():
        for value in override.sweep_iterator() if override.is_sweep_override() else [override.value()]:
            _refuse_choice(name, value)
    simple = "/" not in name and "." not in name and override.package is None
    if override.is_add() and not override.is_force_add() and name != "experiment" and simple:
        raise UserError(f"there is no option {name!r} to add: only an experiment is added with a plus.")


def _refuse_choice(group: str, value: Any) -> None:
    """Raise UserError where a group's choice is no name of a file, or, of a group of which several are chosen, no list of names."""
    several = (group in SEVERAL or "/" in group) and isinstance(value, list)
    for part in value if several else [value]:
        name = part.text if isinstance(part, QuotedString) else part
        if not isinstance(name, str) or "${" in name or len(name) > 200:
            what = "names of files" if several else "the name of a file"
            raise UserError(f"{group} must be {what} in conf/{group}, got {shown(value)}.")
        if ".." in name.split("/") or name.endswith((".yaml", ".yml")):
            raise UserError(
                f"{group}={name} names a file by its path: type its name in conf/{group} alone, without .yaml."
            )


def _check_searched(value: Any) -> None:
    """Raise UserError where hydra.searchpath names what cannot be searched; Hydra itself only warns."""
    for one in value if isinstance(value, list) else [value]:
        kind, _, place = (one.text if isinstance(one, QuotedString) else str(one)).partition("://")
        try:
            there = kind == "pkg" and importlib.util.find_spec(place.split(".")[0]) is not None
        except ValueError:
            there = False
        if not (there or (kind == "file" and os.path.isdir(place) and os.access(place, os.R_OK | os.X_OK))):
            raise UserError(
                "hydra.searchpath must be a list of folders that can be read, such as [file:///my/conf], or packages, such as"
                f" [pkg://mine.conf], got {shown(str(one))}."
            )
        if kind == "file":
            check_files(Path(place))
