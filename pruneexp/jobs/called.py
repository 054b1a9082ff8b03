"""What a choice is called in lines, trackers and tables: its preset, in brackets what the preset leaves open or what differs."""

import functools
import json
from collections.abc import Mapping
from typing import Any

from pruneexp.cell import BESIDES, digest
from pruneexp.components.component import Component, plain_json
from pruneexp.components.options import options_of
from pruneexp.jobs import identity
from pruneexp.jobs.composing import loaded
from pruneexp.system.files import is_file
from pruneexp.system.shipped import conf_dir

LONG = 40  # characters of a value; of a longer one a table has the digest
HASHED = "sha256:"  # of files


def called(component: Component) -> str:
    """Its label, which is a preset's of pruneexp or somebody's own, and the options that the preset leaves open though nothing can do
    without them: ``timm[architecture=resnet26d]``, so that two networks, or two folders of images, are not called the same."""
    declared = options_of(component.target, component.about.kind)
    needed = tuple(name for name, one in declared.items() if one.required)
    left_open = _left_open(component.about.kind, component.label, needed)
    return bracketed(
        component.label,
        {name: component.contents.get(name, plain_json(component.options[name])) for name in left_open},
    )


def names_of(components: Mapping[str, Component], config: Mapping[str, Any], dense: bool) -> dict[str, str]:
    """What each group's choice is called; scorer "none" where a cell needs none, both "dense" of a dense cell. An allocation has its name
    also where options of the masker say it (`pruneexp.jobs.allocated`).

    Args:
        components: a job's, by group.
        config: as composed.
        dense: of its dense cell.
    """
    names = {group: called(components[group]) for group in identity.told(components, dense)}
    asked = config.get("allocation")
    name = asked.get("name") if isinstance(asked, Mapping) and not dense else None
    if name not in (None, BESIDES["allocation"]):
        names.setdefault("allocation", str(name))
    return identity.as_cell(names, identity.needs_scores(components), dense)


def preset_of(name: str) -> str:
    """The preset of what `called` gives; no label has a bracket."""
    return name.partition("[")[0]


@functools.lru_cache(maxsize=1024)
def _left_open(kind: str, label: str, needed: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the options that pruneexp's preset of this name does not set; of one that is made of other files there are none."""
    path = conf_dir() / kind / f"{label}.yaml"
    if not needed or not is_file(path):
        return ()
    said = loaded(path)
    said = said.get(kind, said)
    return () if "defaults" in said else tuple(name for name in needed if name not in said)


def bracketed(name: str, differ: Mapping[str, Any]) -> str:
    """The name and, where there are any, options in brackets."""
    return f"{name}[{','.join(f'{one}={as_typed(value)}' for one, value in differ.items())}]" if differ else name


def as_typed(value: Any) -> str:
    """A value as it is typed; of a component its name, its version but for the first, and its options, of what is too long the digest."""
    if isinstance(value, Mapping):
        version = {"version": value["version"]} if value.get("version", 1) != 1 else {}
        return bracketed(str(value.get("name", "")), version | dict(value.get("options", {})))
    if isinstance(value, str) and value.startswith(HASHED):
        return value.removeprefix(HASHED)[:8]
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return text if len(text) <= LONG else digest(value)[:8]
