"""What tables call a cell: of each group the preset, and in brackets what differs from it; and what is said besides."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pruneexp.cell import BESIDES, GROUPS, ROOT, marked
from pruneexp.components.component import Component, plain_json
from pruneexp.components.options import options_of
from pruneexp.jobs.called import as_typed, bracketed, preset_of
from pruneexp.jobs.identity import IN_ROUNDS
from pruneexp.reports.presets import Presets

OWN = ("density", "seed", "precision")  # columns of their own


@dataclass
class Labels:
    """Names made from descriptions (`pruneexp.cell`), so that two cells of one name are the same but for density, seed and precision.

    ``laenen_cifar[epochs=1]`` is the preset conf/recipe/laenen_cifar.yaml with another option; a value that the preset sets and the
    cell leaves at its function's default is told too, as are another function, version or code. Of a component that no preset is known
    for, the function is told where it is called otherwise, and every option that is not at its default.

    Attributes:
        presets: that names may stand for.
    """

    presets: Presets = field(default_factory=Presets)
    known: dict[str, str] = field(default_factory=dict)

    def of(self, group: str, name: str, told: Any) -> str:
        """A group's label.

        Args:
            group: dataset, model, scorer, masker or recipe.
            name: the preset's, as the cell was asked for, with what it leaves open (`pruneexp.jobs.called`).
            told: what the description says of the group: a component's identity, ``dense`` or ``none``.
        """
        if not isinstance(told, Mapping):
            return str(told)
        key = json.dumps([group, name, told], sort_keys=True)
        if key not in self.known:
            self.known[key] = self._made(group, preset_of(name), told)
        return self.known[key]

    def options(self, description: Mapping[str, Any], names: Mapping[str, str]) -> str:
        """What a description says besides groups, density, seed and precision, in words: ``rounds=100, shuffle``.

        What choosing a preset implies (a scorer's own number of rounds) is told where it is otherwise. An allocation that was asked for is
        told also where the masker's own rule is the same.
        """
        expected = dict(ROOT)
        for group in GROUPS:
            if isinstance(description[group], Mapping):
                expected |= self.presets.implied(group, preset_of(names[group]))
        schema = marked("identity")
        said = {name: description.get(name, ROOT[name]) for name in schema}
        if said["rounds"] == 1:  # there is no round before the last, which the others are about
            expected |= {name: said[name] for name in IN_ROUNDS if name != "rounds"}
        told = [_told(name, value) for name, value in said.items() if value != expected[name]]
        besides = [
            f"{name}={self.beside(name, description, names)}"
            for name in BESIDES
            if name in description or name in names
        ]
        others = {name: description[name] for name in sorted(description.keys() - {*GROUPS, *BESIDES, *OWN, *schema})}
        return ", ".join([*besides, *told, *(_told(*one) for one in others.items())])

    def beside(self, group: str, description: Mapping[str, Any], names: Mapping[str, str]) -> str:
        """The label of a group whose usual choice no description names; of a masker that says itself how many weights each layer keeps the
        allocation that means the same.

        Args:
            group: allocation or mask_update.
            description: a cell's.
            names: that it is asked for by.
        """
        if group in description:
            return self.of(group, names.get(group, description[group]["name"]), description[group])
        if group != "allocation":
            return BESIDES[group]
        masker = description["masker"]
        return self.presets.meant(masker) if isinstance(masker, Mapping) else str(masker)

    def _made(self, group: str, name: str, told: Mapping[str, Any]) -> str:
        preset = self.presets.component(group, name)
        if preset is None and "content" in told:
            return _of_content(name, told, self.presets.has(group, name))
        if preset is None:
            return bracketed(name, _differences(told, {"name": name, "version": 1}, None))
        if differ := _differences(told, preset.identity(), preset):
            same = (one.label for one in self.presets.of_group(group) if one.identity() == told)
            return next(same, bracketed(name, differ))
        return name


def dense_of(description: Mapping[str, Any]) -> dict[str, Any]:
    """The description of the dense cell of the same network, data, recipe and seed, which accuracies are compared with."""
    kept = (*GROUPS, *marked("dense"), "devices", "trainer", "seed", "precision")
    found = {name: description[name] for name in kept if name in description}
    return found | {"scorer": "dense", "masker": "dense", "density": 1.0}


def _differences(told: Mapping[str, Any], preset: Mapping[str, Any], component: Component | None) -> dict[str, Any]:
    facts = {"function": "name", "version": "version", "code": "code"}
    if component is None:
        del facts["code"]  # it has some, and there is nothing that it differs from
    found = {word: told.get(fact) for word, fact in facts.items() if told.get(fact) != preset.get(fact)}
    ours, theirs = told.get("options", {}), preset.get("options", {})
    for option in sorted(ours.keys() | theirs.keys()):
        if ours.get(option, found) != theirs.get(option, found):  # found: a value that no option has
            found[option] = ours[option] if option in ours else _default(component, option)
    return found


def _of_content(name: str, told: Mapping[str, Any], shared: bool) -> str:
    """One's own data is called by the name that it was given; where it has its preset's, which others share, the digest tells which it is.

    Two contents of one name are told apart where a table has both (`pruneexp.reports.frame`).
    """
    return bracketed(name, (told["content"] if shared else {}) | told.get("options", {}))


def _default(component: Component | None, option: str) -> Any:
    declared = {} if component is None else options_of(component.target, component.about.kind)
    return plain_json(declared[option].default) if option in declared else None


def _told(name: str, value: Any) -> str:
    return name if value is True else f"{name}={as_typed(value)}"
