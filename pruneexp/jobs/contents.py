"""What the files of configurations say, each by itself."""

import copy
import functools
import os
import re
from collections.abc import Iterable, Mapping, Set
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.plugins.config_source import ConfigSource
from omegaconf import DictConfig, OmegaConf

from pruneexp.cell import CHOICES, FIELDS, OTHERS, SEVERAL

PRIMARY = "config"  # pruneexp's own primary configuration
NAME = r"[A-Za-z][\w-]*"  # of a file that lies in its group's folder itself
PACKAGE = re.compile(
    rf"(?!.*_(global|group|name|here)_){NAME}(\.{NAME})*", re.ASCII
)  # without words that Hydra replaces


def contents_of(loader: ConfigLoader, group: str, name: str) -> dict[str, Any] | None:
    """What conf/<group>/<name>.yaml says, by the configuration's nodes; None where it chooses other files, too."""
    return copy.deepcopy(_contents_of(loader, group, name))


def _contents_of(loader: ConfigLoader, group: str, name: str) -> dict[str, Any] | None:
    """The same, not to be changed."""
    found, header = _file(loader, f"{group}/{name}")
    if found is None or "defaults" in found:
        return None
    package = header.get("package") or group
    if package != "_global_" and not PACKAGE.fullmatch(package):
        return None
    said: Any = found
    for part in [] if package == "_global_" else reversed(package.split(".")):
        said = {part: said}
    return {str(node): value for node, value in said.items()}


def bodies(loader: ConfigLoader, name: str, experiment: str | None) -> set[str] | None:
    """The nodes that the primary configuration and an experiment say something of, besides choosing files; None where more do."""
    if name != PRIMARY or _file(loader, "options")[0] is not None:  # which would stand for the options' own defaults
        return None
    said: set[str] = set()
    for path in [name, *([] if experiment is None else [f"experiment/{experiment}"])]:
        found, header = _file(loader, path)
        if found is None or (path != name and not _only_overrides(found.get("defaults") or [], header)):
            return None
        said |= found.keys()
    return said - {"hydra", "defaults"}


def choosers(loader: ConfigLoader, name: str, experiment: str | None) -> set[str]:
    """What the primary configuration's and an experiment's choices of files follow: ``dataset`` for ``recipe: mine_${dataset}``."""
    found = [_file(loader, path)[0] or {} for path in (name, f"experiment/{experiment}")]
    return set(re.findall(r"\w+", " ".join(re.findall(r"\$\{([^}]*)", str([one.get("defaults") for one in found])))))


def spoken_of(loader: ConfigLoader, experiment: str | None) -> set[str] | None:
    """The nodes that pruneexp's primary configuration and an experiment say something of or follow; None where more do."""
    said = bodies(loader, PRIMARY, experiment)
    return None if said is None else said | choosers(loader, PRIMARY, experiment)


def nodes_of(loader: ConfigLoader, spoken: Set[str], group: str, name: str) -> dict[str, Any] | None:
    """The nodes that one file of a group says something of, as they then are, not to be changed; or several, named as ``[A,B]``.

    None where that cannot be told from them alone: one says more than its group's node and values of options, or these nodes are among
    those `spoken_of`.
    """
    own = _of_several(loader, group, name[1:-1]) if name.startswith("[") else _contents_of(loader, group, name)
    if own is None or own.keys() & spoken:
        return None
    options = {node: value for node, value in own.items() if node != group}
    if not isinstance(own.get(group), dict) or options.keys() - FIELDS.keys():
        return None
    return None if any(isinstance(value, dict) or value == "???" for value in options.values()) else own


def _of_several(loader: ConfigLoader, group: str, names: str) -> dict[str, Any] | None:
    """The node of a group of which several files are chosen; None where these say something of the same part of it, or of others."""
    parts: dict[str, Any] = {}
    for name in filter(None, names.split(",")):
        own = _contents_of(loader, group, name)
        part = own[group] if own is not None and own.keys() == {group} else None
        if not isinstance(part, dict) or not part or part.keys() & parts.keys():
            return None
        parts |= part
    return {group: parts}


def silent(loader: ConfigLoader, files: Iterable[tuple[str, Any]], nodes: Set[str]) -> bool:
    """Whether none of the files, each with its group, says anything of these nodes."""
    for key, name in files:
        group, _, package = key.partition("@")
        if key == "experiment" or group.startswith("hydra/"):
            continue  # the one says what `bodies` tells, the others nothing of ours
        said = None if package.startswith("_") else _contents_of(loader, group, name)
        if said is None or nodes & ({package.partition(".")[0]} if package else said.keys()):
            return False
    return True


def _only_overrides(defaults: list[Any], header: Mapping[str, str | None]) -> bool:
    """Whether an experiment's defaults choose other files of groups of ours and nothing more, and all that it says stands at the root."""
    for one in defaults:
        for key, name in one.items() if isinstance(one, dict) else [(one, None)]:
            group = str(key).removeprefix("override /")
            names: Any = name if group in SEVERAL else [name]
            known = group != key and group in (*CHOICES, *OTHERS, *SEVERAL) and isinstance(names, list)
            if key != "_self_" and not (known and all(isinstance(each, str) for each in names)):
                return False
            if group in SEVERAL and not all(map(re.compile(NAME).fullmatch, names)):
                return False
    return header.get("package") == "_global_"


def _file(loader: ConfigLoader, path: str) -> tuple[dict[str, Any] | None, dict[str, str | None]]:
    """What a file says, its list of defaults among it, and its header, not to be changed; None where there is none. It is read anew when
    it has changed."""
    for source in loader.get_sources():
        if source.scheme() in ("file", "pkg") and source.is_config(path):
            name = f"{path.removesuffix('.yaml')}.yaml"
            there = os.stat(os.path.join(source.path, name)) if source.scheme() == "file" else None
            return _said(type(source), source.full_path(), name, there and state_of(there))
    return None, {}


def state_of(file: os.stat_result) -> tuple[int, ...]:
    """What is another one when a file has changed."""
    return file.st_mtime_ns, file.st_ctime_ns, file.st_size


@functools.lru_cache(maxsize=512)
def _said(
    kind: type[ConfigSource], place: str, path: str, state: tuple[int, ...] | None
) -> tuple[dict[str, Any] | None, dict[str, str | None]]:
    found = kind("main", place).load_config(path)
    said: Any = OmegaConf.to_container(found.config) if isinstance(found.config, DictConfig) else None
    return said, found.header
