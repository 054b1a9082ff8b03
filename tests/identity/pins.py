"""The pins: ``python -m tests.identity.pins`` adds those of new components, options and versions; it changes none."""

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from pruneexp.cell import FIELDS, ROOT, marked
from pruneexp.components.component import Component, configured
from pruneexp.components.options import options_of
from pruneexp.jobs.identity import REWOUND
from pruneexp.sweep import named
from pruneexp.system.shipped import conf_dir
from tests.presets import completed

FILE = Path(__file__).with_name("pins.json")
GROUPS = (
    "dataset",
    "model",
    "scorer",
    "masker",
    "allocation",
    "mask_update",
    "treatment",
    "recipe",
    "trainer",
    "launcher",
)


def in_conf() -> Iterator[tuple[str, Component]]:
    """Every component that a file of conf/ configures, those inside others too, by its file's name."""
    for group in GROUPS:
        for path in sorted((conf_dir() / group).glob("*.yaml")):
            said: dict[str, Any] = OmegaConf.to_container(OmegaConf.load(path), resolve=True)  # type: ignore[assignment]
            node = said.get(group, said)
            if "_target_" not in node:
                continue
            if "defaults" in said:
                found = named(group, path.stem)
            else:
                found = configured(group, completed(group, path.stem, node), group)
            yield f"{group}/{path.stem}", found
            yield from (
                (f"{group}/{path.stem}.{name}", value)
                for name, value in found.options.items()
                if isinstance(value, Component)
            )


@functools.cache
def today() -> dict[str, dict[str, Any]]:
    """Defaults by "kind name version", and those of the schema's options that are part of the key."""
    pins = {"schema": {name: ROOT[name] for name in FIELDS if name in marked("identity")}}
    pins["rewind {name} {version}".format(**REWOUND)] = {}  # a version of its own, and no component
    for _, found in in_conf():
        about = found.about
        declared = options_of(found.target, about.kind)
        defaults = {name: "required" if option.required else option.default for name, option in declared.items()}
        pins[f"{about.kind} {about.name} {about.version}"] = json.loads(json.dumps(defaults))
    return pins


def pinned() -> dict[str, dict[str, Any]]:
    pins: dict[str, dict[str, Any]] = json.loads(FILE.read_text())
    return pins


def main() -> None:
    old = pinned() if FILE.exists() else {}
    new = {name: defaults | old.get(name, {}) for name, defaults in today().items()}
    FILE.write_text(json.dumps(dict(sorted((old | new).items())), indent=1) + "\n")


if __name__ == "__main__":
    main()
