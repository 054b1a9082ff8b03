"""What the files of conf/ configure as they stand there: the presets that names in tables stand for, their titles and notes."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pruneexp.cell import BESIDES, FIELDS
from pruneexp.components.component import Component, configured
from pruneexp.components.options import options_of
from pruneexp.errors import UserError, unknown
from pruneexp.jobs.composing import loaded
from pruneexp.sweep import named
from pruneexp.system.files import is_file
from pruneexp.system.shipped import conf_dir

LONGEST = 255  # bytes of a file's name


@dataclass(frozen=True)
class Presets:
    """The presets of pruneexp and of other folders.

    Attributes:
        folders: searched after pruneexp's own conf/.
    """

    folders: tuple[Path, ...] = ()

    def component(self, group: str, name: str) -> Component | None:
        """What conf/<group>/<name>.yaml configures under this very name; None where there is none, or it cannot be made here."""
        path = self._file(group, name)
        return None if path is None else _component(path, path.stat().st_mtime_ns, self.folders)

    def has(self, group: str, name: str) -> bool:
        """Whether a file has this name."""
        return self._file(group, name) is not None

    def chosen(self, group: str, names: Sequence[str], make: bool = True) -> dict[str, Component]:
        """What is chosen of a group of which several are.

        Args:
            group: column.
            names: of files.
            make: false: those of pruneexp are only looked for.

        Raises:
            UserError: there is no such file, or what it configures is not one of the group.
        """
        found = {}
        for name in names:
            if (path := self._file(group, name)) is None:
                known = {
                    file.stem for folder in (conf_dir(), *self.folders) for file in (folder / group).glob("*.yaml")
                }
                raise UserError(unknown(group, name, known))
            if make or path.parent.parent != conf_dir():
                found[name] = configured(group, _said(path, path.stat().st_mtime_ns))
        return found

    def of_group(self, group: str) -> list[Component]:
        """pruneexp's own of a group, by name."""
        return list(self._each(group))

    def _each(self, group: str, first: str = "") -> Iterator[Component]:
        """pruneexp's own of a group, by name but for one that comes first; each is imported when it is its turn."""
        names = {path.stem for path in (conf_dir() / group).glob("*.yaml")}
        for name in sorted(names, key=lambda name: (name != first, name)):
            if (found := self.component(group, name)) is not None:
                yield found

    def meant(self, masker: Mapping[str, Any]) -> str:
        """The allocation that a masker's own options mean, as its description tells them; ``own`` where none means the same."""
        named = self._each("masker", first=str(masker["name"]))
        known = next((one for one in named if one.about.name == masker["name"]), None)
        if known is None or "code" in masker:
            return BESIDES["allocation"]
        defaults = {name: one.default for name, one in options_of(known.target, "masker").items()}
        said = defaults | masker.get("options", {})
        meant = known.about.meant.items()
        return next((name for name, options in meant if options.items() <= said.items()), BESIDES["allocation"])

    def implied(self, group: str, name: str) -> dict[str, Any]:
        """The options of the schema that choosing the preset sets besides: SynFlow's ``rounds``."""
        path = self._file(group, name)
        said = {} if path is None else _said(path, path.stat().st_mtime_ns)
        return {option: said[option] for option in said if option in FIELDS} if group in said else {}

    def unpruned(self, model: str) -> str | None:
        """The model that its paper compares this one's pruned networks with, as its file says; None where it is the model itself."""
        path = self._file("model", model)
        said = {} if path is None else _said(path, path.stat().st_mtime_ns)
        found = said.get("model", said).get("unpruned")
        return None if found is None else str(found)

    def title(self, group: str, name: str) -> str:
        """What people call it, as its file says; its name where no file does."""
        return self._told(group, name, "title") or name

    def note(self, group: str, name: str) -> str:
        """What a reader of a table that shows it has to know, as its file says; nothing where no file does."""
        return self._told(group, name, "note")

    def _told(self, group: str, name: str, what: str) -> str:
        path = self._file(group, name)
        said = {} if path is None else _said(path, path.stat().st_mtime_ns)
        return str(said.get(group, said).get(what, ""))

    def _file(self, group: str, name: str) -> Path | None:
        """That Hydra would choose."""
        for folder in (conf_dir(), *self.folders):
            path = folder / group / f"{name}.yaml"
            # a record's name may be a path, to a file of its writer's, or longer than any file's
            named_so = path.parent == folder / group and len(path.name.encode(errors="replace")) <= LONGEST
            if named_so and is_file(path):
                return path
        return None


@functools.lru_cache(maxsize=1024)
def _component(path: Path, modified: int, folders: tuple[Path, ...]) -> Component | None:
    group, name, said = path.parent.name, path.stem, _said(path, modified)
    try:
        if "defaults" in said:
            places = f"hydra.searchpath=[{','.join(f'file://{folder}' for folder in folders)}]"
            found = named(group, name, *([places] if folders else []))
        else:
            said = {group: said.get(group, said)}  # of a file that says something of other nodes too
            whole: Any = OmegaConf.to_container(OmegaConf.create(said), resolve=True, throw_on_missing=True)
            found = configured(group, whole[group])
    except (UserError, OmegaConfBaseException):
        return None
    return found if found.label == name else None


@functools.lru_cache(maxsize=1024)
def _said(path: Path, modified: int) -> dict[str, Any]:
    """What a file says; raises UserError where it is no file of options."""
    said: Any = OmegaConf.to_container(loaded(path))
    return dict(said)
