"""How long cells took that are recorded."""

import contextlib
import functools
import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from pruneexp.cell import canonical
from pruneexp.errors import UserError
from pruneexp.records.record import Record
from pruneexp.records.store import Store
from pruneexp.sweep import Grid, Slot

SOME = 200  # cells that are alike by their keys, of the grid and of others, whose records are looked at
NOT_SCORED = (
    "seed",
    "density",
    "precision",
    "recipe",
)  # of a description: what scoring and masking take does not hang on these
ENDING = (
    "patience",
    "rewind_epoch",
)  # of a description: which epochs are made hangs on these; on `select` only which of them counts


class Recorded:
    """Times of the cells of a folder, the grid's own and others'.

    Args:
        store: the records.
        grid: what is planned.
        device: name of the hardware whose times count.
    """

    def __init__(self, store: Store, grid: Grid, device: str) -> None:
        self.store, self.device = store, device
        self.own = {cell.key for slot in grid.slots for cell in slot.cells}
        self.there = sorted({*store.folders(), *store.sourced})
        self.read: dict[str, Record | None] = {}
        self.known: dict[str, list[Record]] = {}

    def training(self, slot: Slot) -> float | None:
        """Median seconds of all the recipe's epochs, of cells of the same data set, model, recipe and precision; where neurons are
        removed, of the same density; None where there are none."""
        epochs = slot.job.setting.make("recipe").epochs
        return self._paced(slot, _trained(slot), functools.partial(whole_training, epochs=epochs))

    def ended_early(self, slot: Slot) -> float | None:
        """Median seconds of those epochs that such cells made before their training ended by the same patience, of cells that go on from
        the same epoch; None where there are none, and of a cell without patience."""
        wanted, trained = slot.cell.description, _trained(slot)

        def alike(record: Record) -> bool:
            return trained(record) and all(record["description"].get(name) == wanted.get(name) for name in ENDING)

        return self._paced(slot, alike, _training) if slot.job.options.patience else None

    def others(self, slot: Slot) -> float:
        """Median seconds of scoring, masking and measuring, of cells that are pruned alike, 0 where there are none."""
        wanted = _pruned(slot.cell.description)
        found = self._median(
            slot,
            f"{slot.cell.short}-d",
            lambda record: _pruned(record["description"]) == wanted,
            lambda record: sum(record["seconds"].values()) - _training(record),
        )
        return found or 0.0

    def _paced(self, slot: Slot, alike: Callable[[Record], bool], seconds: Callable[[Record], float]) -> float | None:
        """The median of cells that are trained at the cell's pace: without neurons those of its masker and density, else any, and where
        none of those that were looked at is alike, the dense ones."""
        setting = slot.job.setting
        if slot.density < 1 and setting.removes_neurons:
            part = f"-{setting.components['masker'].short()}-d{slot.density:g}-s"
            return self._median(slot, part, alike, seconds)
        found = self._median(slot, "", alike, seconds)
        return self._median(slot, "-dense-dense-d", alike, seconds) if found is None else found

    def _median(
        self, slot: Slot, part: str, alike: Callable[[Record], bool], seconds: Callable[[Record], float]
    ) -> float | None:
        times = [seconds(record) for record in self._records(slot, part) if alike(record)]
        return statistics.median(times) if times else None

    def _records(self, slot: Slot, part: str) -> Sequence[Record]:
        """Those of the cell's data set and model, with `part` in their keys, that this device has made.

        Raises:
            UserError: one of the grid's cannot be believed.
        """
        components, description = slot.job.setting.components, slot.cell.description
        pair = {name: description[name] for name in ("dataset", "model")}
        if (known := canonical([pair, part]).decode()) not in self.known:
            start = "-".join(components[name].short() for name in pair) + "-"
            keys = [key for key in self.there if key.startswith(start) and part in key]
            own, others = [key for key in keys if key in self.own], [key for key in keys if key not in self.own]
            records = [self._read(key) for key in _some(own)]
            for key in _some(others):
                with contextlib.suppress(UserError):  # it is nothing to this grid
                    records.append(self._read(key))
            self.known[known] = [
                record
                for record in records
                if record is not None
                and record["device"] == self.device
                and all(record["description"].get(name) == told for name, told in pair.items())
            ]
        return self.known[known]

    def _read(self, key: str) -> Record | None:
        if key not in self.read:
            self.read[key] = self.store.read(key)
        return self.read[key]


def whole_training(record: Record, epochs: int) -> float:
    """The seconds that a recorded cell's training would have taken in all epochs, and not in some of them."""
    return _training(record) * epochs / (record.get("epochs") or epochs)


def _training(record: Record) -> float:
    return float(record["seconds"]["training"])


def _trained(slot: Slot) -> Callable[[Record], bool]:
    """Whether a recorded cell of the same data set and model is trained at the cell's pace."""
    wanted, removes = slot.cell.description, slot.density < 1 and slot.job.setting.removes_neurons
    names = ("recipe", "precision", *(("masker", "density") if removes else ()))

    def alike(record: Record) -> bool:
        whole = "kept_neurons" not in record.get("notes", {})
        return (whole or removes) and all(record["description"].get(name) == wanted[name] for name in names)

    return alike


def _some(keys: Sequence[str]) -> Sequence[str]:
    return keys[:: max(1, math.ceil(len(keys) / SOME))]


def _pruned(description: dict[str, Any]) -> dict[str, Any]:
    return {name: told for name, told in description.items() if name not in NOT_SCORED}
