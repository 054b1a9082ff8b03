"""Cells that differ in their seeds alone, and what they have in common."""

import marshal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pruneexp.cell import BESIDES, CHOICES, GROUPS, digest
from pruneexp.reports.labels import Labels, dense_of
from pruneexp.reports.presets import Presets
from pruneexp.sweep import Grid, Slot


@dataclass(frozen=True)
class Told:
    """What the cells of a group have in common.

    Attributes:
        labels: of dataset, model, scorer, masker, recipe, options, allocation and mask_update.
        options: that are not at their functions' defaults, by dotted name.
        group: digest of the description without its seed.
        dense: the same of the dense cells that they are compared with.
        unpruned: the same of those of the network that their paper calls unpruned; None where it is the same network.
    """

    labels: dict[str, str]
    options: dict[str, Any]
    group: str
    dense: str
    unpruned: str | None = None


@dataclass
class Facts:
    """What is said of cells, found out once for each group and its names.

    Attributes:
        labels: names for people.
        plainest: of each group that was asked for: of several ways to call it the shortest, whichever came first.
    """

    labels: Labels
    known: dict[tuple[Any, ...], Told] = field(default_factory=dict)
    plainest: dict[str, Told] = field(default_factory=dict)

    def of(self, description: dict[str, Any], names: Mapping[str, str]) -> Told:
        """What is said of a cell's group.

        Args:
            description: the cell's.
            names: the presets that it was asked for by.
        """
        seedless = marshal.dumps(description | {"seed": None})  # in a tenth of the digest's time
        same = seedless, *(names.get(name) for name in CHOICES)
        if same not in self.known:
            told = {name: value for name, value in description.items() if name != "seed"}
            self.known[same] = made = self._made(told, names)
            self.plainest[made.group] = min(made, self.plainest.get(made.group, made), key=_length)
        return self.known[same]

    def _made(self, seedless: Mapping[str, Any], names: Mapping[str, str]) -> Told:
        labels = {name: self.labels.of(name, names[name], seedless[name]) for name in GROUPS}
        labels["options"] = self.labels.options(seedless, names)
        labels |= {name: self.labels.beside(name, seedless, names) for name in BESIDES}
        dense = dense_of(seedless)
        return Told(labels, _options(seedless), digest(seedless), digest(dense), self._unpruned(labels["model"], dense))

    def _unpruned(self, model: str, dense: Mapping[str, Any]) -> str | None:
        """The digest of the dense cells, without their seeds, of the network that the model's preset says it is compared with."""
        presets = self.labels.presets
        other = presets.unpruned(model)
        component = None if other is None else presets.component("model", other)
        return None if component is None else digest({**dense, "model": component.identity()})


def _length(told: Told) -> tuple[int, list[str]]:
    words = list(told.labels.values())
    return len("".join(words)), words


def _options(described: Mapping[str, Any]) -> dict[str, Any]:
    """A component's options as ``recipe.lr``, lists as text; the schema's and treatments under their own names."""
    found: dict[str, Any] = {}
    for name, told in described.items():
        if isinstance(told, Mapping):
            given = told.get("options", {})
            found |= {f"{name}.{option}": str(v) if isinstance(v, (list, dict)) else v for option, v in given.items()}
        elif name not in (*GROUPS, "density", "precision"):
            found[name] = told
    return found


def rows_of(grid: Grid) -> dict[tuple[str, ...], list[Slot]]:
    """The grid's cells by what is said of them - the labels of dataset, model, scorer, masker, recipe, options; the density -, their
    seeds aside."""
    labels, rows = Labels(Presets(grid.folders)), dict[tuple[str, ...], list[Slot]]()
    known: dict[tuple[int, bool], tuple[str, ...]] = {}
    for slot in grid.slots:
        setting, dense = slot.job.setting, slot.density == 1
        if (same := (id(setting), dense)) not in known:
            names, description, _ = setting.described[dense]
            groups = (labels.of(group, names[group], description[group]) for group in GROUPS)
            known[same] = (*groups, labels.options(description, names))
        rows.setdefault((*known[same], f"{slot.density:g}"), []).append(slot)
    return rows
