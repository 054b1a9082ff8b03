"""Configurations composed by Hydra, from files and overrides; its public interface is all that is used of it."""

import contextlib
import functools
import io
import itertools
import math
import os
import pickle
import re
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from pruneexp.cell import CHOICES, FIELDS, OTHERS, SEVERAL, register
from pruneexp.components.values import shown
from pruneexp.errors import UserError, first_line, unknown
from pruneexp.jobs.contents import NAME, PRIMARY, nodes_of, silent, spoken_of, state_of
from pruneexp.jobs.words import today
from pruneexp.system import files
from pruneexp.system.shipped import conf_dir

LARGEST = 1 << 18  # bytes of a file of options, which Hydra reads whole
# an override that sets an option, and one that chooses files and nothing else
OPTION = re.compile(rf"(({'|'.join(FIELDS)})(\.\w+)*|(\+\+)?({'|'.join((*CHOICES, *OTHERS, *SEVERAL))})(\.\w+)+)=")
FILE = rf"(?!(?i:true|false|null|nan|inf)\b){NAME}"  # of these words Hydra makes values
ONE = rf"({'|'.join((*CHOICES, *OTHERS))})={FILE}"
FILES = re.compile(rf"{ONE}|({'|'.join(SEVERAL)})=\[({FILE}(,{FILE})*)?\]", re.ASCII)
PLAIN = re.compile(rf"{ONE}|\+experiment=[\w/-]+", re.ASCII)
CHOICE = re.compile(rf"\+?({'|'.join((*CHOICES, *OTHERS, *SEVERAL, 'experiment'))})(@[\w.]+)?=[^{{]")
NUMBERS = itertools.count()
MOST = 10_000  # values in it, those that an alias stands for counted each time
BESIDE: ContextVar[Path | None] = ContextVar("beside", default=None)  # Hydra makes its plugins without arguments
# of all files that may be chosen: another number when one has changed; None where what they compose is not kept
STATE: ContextVar[int | None] = ContextVar("state", default=None)


@dataclass(frozen=True)
class Source:
    """Where configurations come from.

    Attributes:
        name: of the primary one, as Hydra's --config-name has it.
        folder: searched after pruneexp's own, as Hydra's --config-dir has it.
    """

    name: str = PRIMARY
    folder: str | None = None


class OwnFolder(SearchPathPlugin):
    """Has Hydra search the folder of a `Source` too: other than hydra.searchpath it is known before the primary configuration."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        if (folder := BESIDE.get()) is not None:
            search_path.append("--config-dir", f"file://{folder}")


@contextlib.contextmanager
def hydra(source: Source) -> Iterator[ConfigLoader]:
    """Hydra with the configurations of a source; one that this process is in already has its state back afterwards.

    Raises:
        UserError: there is no such folder; and for whatever Hydra says of overrides and configurations.
    """
    register()
    Plugins.instance().register(OwnFolder)
    _check(source)
    folder = None if source.folder is None else Path(source.folder).absolute()
    running, GlobalHydra.instance().hydra = GlobalHydra.instance().hydra, None
    folders = [conf_dir(), *filter(None, [folder])]
    token, state = BESIDE.set(folder), STATE.set(None if any(map(_as_options, folders)) else state_of_folders(folders))
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir()), job_name="pruneexp"):
            try:
                yield GlobalHydra.instance().config_loader()
            except (HydraException, OmegaConfBaseException) as error:
                raise UserError(_sentence(error)) from error
    finally:
        BESIDE.reset(token)
        STATE.reset(state)
        GlobalHydra.instance().hydra = running


def _check(source: Source) -> None:
    """Raise UserError where there is no such folder or no such name, or the process is nowhere."""
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise UserError("the folder in which this was started is gone: change to one that is there.") from error
    if source.folder is not None and not (os.path.isdir(source.folder) and os.access(source.folder, os.R_OK | os.X_OK)):
        raise UserError(
            f"--config-dir={source.folder} is no folder that can be read: name one that holds recipe/, model/ and so on."
        )
    if source.folder is not None:
        check_files(Path(source.folder))
    if not source.name.isprintable() or len(source.name) > 200:
        raise UserError(f"--config-name must be the name of a file, of at most 200 letters, got {shown(source.name)}.")


def _compose(name: str, words: Sequence[str], whole: bool) -> DictConfig:
    """What Hydra composes.

    Raises:
        UserError: a file among those that it reads cannot be read. Nothing but Hydra is at work here, which lets through whatever the
            YAML reader, or a file of another form than it expects, makes it raise.
    """
    try:
        return compose(name, list(words), return_hydra_config=whole)
    except (HydraException, OmegaConfBaseException):
        raise
    except RecursionError as error:
        raise UserError(
            "the configuration has no end: a file names itself among its defaults, or is nested too deeply."
        ) from error
    except Exception as error:
        raise UserError(_unread(BESIDE.get(), error)) from error


def _unread(folder: Path | None, error: Exception) -> str:
    """A sentence for files that cannot be read, with the first in the user's folder that cannot, if it is that."""
    for path in map(Path, _yaml(folder) if folder is not None else []):
        try:
            loaded(path)
        except UserError as why:
            return str(why)
    return f"the configuration cannot be composed ({first_line(error)}): look at the defaults of the files that it is made of."


def loaded(path: Path) -> DictConfig:
    """What a file of options says, as it stands there.

    Raises:
        UserError: it is no YAML of options by their names. Objects of Python's in it are none either: no code is run.
    """
    try:
        found = OmegaConf.load(io.BytesIO(files.contents(path, LARGEST)[0]))
    except Exception as error:  # the YAML reader lets through whatever a file makes it raise
        why = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"{path} is no file of options ({why}): write it as YAML in UTF-8, NAME: VALUE in each line."
        ) from error
    if not isinstance(found, DictConfig):
        raise UserError(
            f"{path} must have options, NAME: VALUE in each line, and has {shown(OmegaConf.to_container(found))}."
        )
    return found


def check_files(folder: Path) -> None:
    """Raise UserError where a file in a folder of configurations is more than Hydra, which reads any, comes to an end with."""
    for path in map(Path, _yaml(folder)):
        with contextlib.suppress(OSError, YAMLError, ValueError, RecursionError):  # Hydra meets it, if it is chosen
            large = path.stat().st_size > LARGEST
            content = b"" if large else files.read(path)
            if large or (b"&" in content and _values(yaml.compose(content, yaml.SafeLoader), {}) > MOST):
                raise UserError(
                    f"{path} has more than {LARGEST >> 10} KiB or {MOST:,} values, aliases written out, and no file of options has: move it"
                    " elsewhere."
                )


def _values(node: yaml.Node | None, known: dict[int, float]) -> float:
    """How many values a YAML node holds; one that holds itself, infinitely many."""
    if id(node) not in known:
        known[id(node)] = math.inf
        below = node.value if isinstance(node, yaml.CollectionNode) else []
        parts = (part for one in below for part in (one if isinstance(one, tuple) else (one,)))
        known[id(node)] = 1 + sum(_values(part, known) for part in parts)
    return known[id(node)]


def _yaml(folder: Path) -> list[str]:
    """The files in a folder of configurations; Hydra passes over what is no file."""
    found = (
        os.path.join(place, name) for place, _, names in os.walk(folder) for name in names
    )  # /proc's folders come and go
    return sorted(path for path in found if os.path.splitext(path)[1] == ".yaml" and os.path.isfile(path))


@dataclass(frozen=True)
class Composed:
    """What overrides make of the primary configuration.

    Attributes:
        config: without Hydra's own node.
        params: what is swept beside the overrides, as Hydra's sweeper has it: values by option.
        choices: the file that is chosen of each group.
        follows: whether what is swept follows other options.
    """

    config: DictConfig
    params: dict[str, Any]
    choices: dict[str, Any]
    follows: bool = False


def composed(name: str, overrides: Sequence[str]) -> Composed:
    """What the overrides, in the words of today or of earlier versions, make of the primary configuration.

    A choice of files is composed once in a process, and anew when a file has changed that could be chosen; options are then set in it,
    as Hydra sets them after it has put the files together. Where one cannot be, Hydra says why.

    Args:
        name: the primary configuration's.
        overrides: none of which sweeps.
    """
    words = tuple(today(overrides))
    options = [word for word in words if OPTION.match(word)]
    files_alone = tuple(word for word in words if not OPTION.match(word))
    state = STATE.get()
    kept = all(CHOICE.match(word) and "$" not in word for word in files_alone)
    if name == PRIMARY and state is not None and kept:  # another could have Hydra search anywhere
        found = _of_files(files_alone, BESIDE.get(), state)
        with contextlib.suppress(Exception):  # whatever it is: composed in full it ends in a sentence
            if not found.follows:
                return replace(found, config=_with_options(_copied(found.config), options))
    return _taken_apart(_compose(name, words, True))


def _with_options(config: DictConfig, words: Sequence[str]) -> DictConfig:
    for one in OverridesParser.create().parse_overrides(list(words)):
        OmegaConf.update(config, one.key_or_group, one.value(), merge=True, force_add=one.is_force_add())
    return config


def in_full(name: str, overrides: Sequence[str]) -> DictConfig:
    """The same as Hydra composes it, with its own node; for people to look at."""
    return _compose(name, today(overrides), True)


@functools.lru_cache(maxsize=512)
def _of_files(words: tuple[str, ...], folder: Path | None, state: int) -> Composed:
    """What choices of files compose."""
    with contextlib.suppress(Exception):  # whatever it is: composed in full it ends in a sentence
        if (found := _put_together(words, folder, state)) is not None:
            return found
    return _taken_apart(_compose(PRIMARY, words, True))


def _put_together(words: Sequence[str], folder: Path | None, state: int) -> Composed | None:
    """The same without Hydra for the files that each say by themselves what their nodes are: put into what the others compose. None where
    there is no such file, or something else could say something of their nodes."""
    loader = GlobalHydra.instance().config_loader()
    named = [word.partition("=")[::2] for word in words]
    spoken = spoken_of(loader, dict(named).get("+experiment"))
    if spoken is None:
        return None
    told = functools.partial(nodes_of, loader, spoken)
    alone = {group: name for group, name in named if FILES.fullmatch(f"{group}={name}") and told(group, name)}
    others = tuple(word for word, (group, _) in zip(words, named, strict=True) if group not in alone)
    if not alone or len(others) + len(alone) != len(words) or not all(map(PLAIN.fullmatch, others)):
        return None
    if not all(told(group, f"[{name}]") for group, name in _of_several(folder, state) if group in alone):
        return None
    start = _of_files(others, folder, state)
    if start.follows:
        return None
    raw: Any = OmegaConf.to_container(start.config)
    as_filed = all(group in SEVERAL or told(group, str(start.choices[group])) == {group: raw[group]} for group in alone)
    chosen = [one for one in (*start.choices.items(), *_of_several(folder, state)) if one[0] not in alone]
    each = [told(group, name) or {} for group, name in alone.items()]
    nodes = set().union(*each)
    if not as_filed or len(nodes) < sum(map(len, each)) or not silent(loader, chosen, nodes):
        return None
    config = _copied(start.config)
    with open_dict(config):
        for node, value in (pair for one in each for pair in one.items()):
            config[node] = value
        for group in alone.keys() & set(SEVERAL):
            if not config[group]:  # none is chosen: Hydra has no such node
                del config[group]
    named_ones = {group: name for group, name in alone.items() if group not in SEVERAL}
    return replace(start, config=config, choices={**start.choices, **named_ones})


@functools.lru_cache(maxsize=64)
def _of_several(folder: Path | None, state: int) -> tuple[tuple[str, str], ...]:
    """All files, by their groups, of the groups of which several are chosen: no choice says which of them are. Of this folder, too, and
    known until a file has changed."""
    loader = GlobalHydra.instance().config_loader()
    return tuple((group, name) for group in SEVERAL for name in loader.get_group_options(group))


def _taken_apart(config: DictConfig) -> Composed:
    params = dict(config.hydra.sweeper.get("params") or {})
    follows = "${" in str(OmegaConf.to_container(config.hydra.sweeper))
    choices: Any = OmegaConf.to_container(config.hydra.runtime.choices)
    with open_dict(config):
        del config["hydra"]
    return Composed(config, params, choices, follows)


def _copied(config: DictConfig) -> DictConfig:
    """What `copy.deepcopy` gives, in less than half its time."""
    copied: DictConfig = pickle.loads(pickle.dumps(config))
    return copied


def _as_options(folder: Path) -> bool:
    """Whether a folder has groups that are called as options are, which are then no options."""
    return any(one.is_dir() and (one.name in FIELDS or "." in one.name) for one in os.scandir(folder))


def state_of_folders(folders: Sequence[Path]) -> int:
    """Another number when a file of options in the folders has changed, and each time where a folder in them is a link to another."""
    found = [(path, *state_of(os.stat(path))) for folder in folders for path in _yaml(folder)]
    inner = (f"{place}/{name}" for folder in folders for place, names, _ in os.walk(folder) for name in names)
    return hash((*found, *(next(NUMBERS) for path in inner if os.path.islink(path))))


def plain(config: DictConfig) -> dict[str, Any]:
    """The configuration as dicts, lists and values, its interpolations resolved."""
    found: dict[str, Any] = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[assignment]
    return found


def _sentence(error: Exception) -> str:
    """One sentence for what Hydra or OmegaConf says in several lines."""
    text = str(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        known = error.options or GlobalHydra.instance().config_loader().get_group_options(group)
        return unknown(group, name, known) if group else unknown("configuration", name, known)
    key = re.search(r"Could not (?:override|append to config\S*) '(\S+?)'", text) or re.search(
        r"Key '(\S+)' is not in struct", text
    )
    if isinstance(error, ConfigCompositionException) and key:
        option = key.group(1).lstrip("+~").partition("=")[0]
        if option == "experiment":
            typed = re.search(r"\+experiment=\S+", text)  # Hydra says it too, in its own words
            return f"an experiment is added with a plus: type {typed.group() if typed else '+experiment=NAME'}."
        return unknown("option", option, [*FIELDS, *CHOICES, *OTHERS, *SEVERAL])
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        dollar = " A dollar that stands before a brace and means itself is typed \\$." if "nterpolation" in text else ""
        return f"{error.full_key} has no value: {first_line(error)}.{dollar}"
    return " ".join(text.split()).rstrip(".") + "."
