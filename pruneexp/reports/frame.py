"""The grid's records as one data frame, a row for each cell."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from pruneexp.cell import GROUPS, marked
from pruneexp.components.component import Component
from pruneexp.errors import UserError
from pruneexp.jobs import identity
from pruneexp.jobs.job import Job
from pruneexp.jobs.setting import Setting
from pruneexp.records.record import Record, shown_of
from pruneexp.records.store import Store
from pruneexp.sweep import Grid, Slot

COLUMNS = ["accuracy", "loss", "train_loss", "density", "lambda2_min", "imdb", "dead_filters", "macs", "diverged"]
LATER = [
    "imdb_sum",
    "effective_density",
    "collapsed_layers",
    "parameters",
]  # which a record of an earlier version may lack


def collect(grid: Grid) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """One row for each finished cell of the grid, and the records themselves, both in the grid's order.

    Raises:
        UserError: a record is damaged, or two of them have seen different data under one name.
    """
    options = grid.jobs[0].options
    store = Store(options.results_dir, options.records)
    labels = Labels(grid.jobs)
    rows, records = [], []
    called: dict[tuple[int, bool], dict[str, Any]] = {}  # by configuration but for the seed
    for job, cell in ((slot.job, cell) for slot in grid.slots for cell in slot.cells):
        record = store.read(cell.key)
        if record is None:
            continue
        records.append(record)
        same = id(job.setting), cell.density == 1
        if same not in called:
            called[same] = labels.row(job.setting, dense=cell.density == 1)
        row = dict(called[same])
        row["precision"] = record["precision"]
        row |= {"asked_density": cell.density, "seed": cell.seed}
        row |= {column: record[column] for column in COLUMNS}
        row |= {column: math.nan if record.get(column) is None else record[column] for column in LATER}
        for name in shown_of(record):
            row |= flat(name, record[name])
        if "neurons" in record.get("notes", {}) and job.setting.removes_neurons:
            row["neurons"] = record["notes"]["kept_neurons"] / record["notes"]["neurons"]
        row["components"] = sum(layer["components"] for layer in record["layers"])
        row["pruning_seconds"] = record["seconds"]["scoring"] + record["seconds"]["masking"]
        row["training_seconds"] = record["seconds"]["training"]
        rows.append(row)
    store.seen.save()
    _of_one_data(records)
    return pd.DataFrame(rows), records


def flat(name: str, value: Any) -> dict[str, Any]:
    """A measured field as columns: ``latency/cpu/64`` for what lies under these names in a record."""
    if not isinstance(value, Mapping):
        return {name: math.nan if value is None else value}
    return {column: number for key, inner in value.items() for column, number in flat(f"{name}/{key}", inner).items()}


def _of_one_data(records: list[Record]) -> None:
    """Raise UserError where two records of one data set have seen different states of it."""
    seen: dict[str, Record] = {}
    for record in records:
        if (data := record["data"]) is None:
            continue
        first = seen.setdefault(data["name"], record)
        if first["data"]["sha256"] != data["sha256"]:
            raise UserError(
                f"one table never mixes two states of {data['name']}: {first['key']} was trained and tested on"
                f" {first['data']['sha256'][:16]}, {record['key']} on {data['sha256'][:16]} (sha256 of the arrays); delete the"
                " folders of those that are wrong, or move them to another results_dir."
            )


class Labels:
    """Names for tables: the configuration's name, with the options that set apart two of the same name."""

    def __init__(self, jobs: list[Job]) -> None:
        settings = list({id(job.setting): job.setting for job in jobs}.values())  # seeds have no part in names
        self.varying: dict[tuple[str, str], list[str]] = {}
        for group in GROUPS:
            by_name: dict[str, list[dict[str, Any]]] = {}
            for setting in settings:
                chosen = setting.components[group]
                by_name.setdefault(chosen.label, []).append(_facts(chosen))
            for name, nodes in by_name.items():
                options = sorted({option for node in nodes for option in node})
                differ = [o for o in options if len({str(node.get(o)) for node in nodes}) > 1]
                self.varying[group, name] = differ

        # an option is named where it sets apart two jobs that are otherwise called the same
        namesakes: dict[tuple[str, ...], list[Setting]] = {}
        for setting in settings:
            namesakes.setdefault(tuple(self.of(setting, group) for group in GROUPS), []).append(setting)
        self.options = [
            option
            for option in marked("identity")
            if any(len({getattr(one.options, option) for one in same}) > 1 for same in namesakes.values())
        ]

    def row(self, setting: Setting, dense: bool) -> dict[str, Any]:
        """What a row says of the cell's configuration, its density and seed aside."""
        row = identity.as_cell({group: self.of(setting, group) for group in GROUPS}, setting.needs_scores, dense)
        row["masker"] += self.variant(setting, dense)
        row["chance"] = 100 / setting.components["dataset"].value("classes")
        return row

    def variant(self, setting: Setting, dense: bool) -> str:
        """The options outside the groups that vary over the grid, where not at their default, and always the treatments; of a dense
        network what concerns it."""
        description = setting.described[dense][1]
        said = {name: getattr(setting.options, name) for name in self.options if name in description}
        said |= {name: _shortly(description[name]) for name in sorted(setting.treatments) if name in description}
        if "devices" in description:
            said["devices"] = description["devices"]
        return f"[{','.join(f'{name}={told}' for name, told in said.items())}]" if said else ""

    def of(self, setting: Setting, group: str) -> str:
        chosen = setting.components[group]
        differ = self.varying[group, chosen.label]
        facts = _facts(chosen)
        said = (f"{fact}={facts[fact] if fact in facts else chosen.value(fact)}" for fact in differ)
        return chosen.label + (f"[{','.join(said)}]" if differ else "")


def _shortly(told: Any) -> Any:
    """A treatment as a description has it, in few words."""
    if not isinstance(told, Mapping):
        return told
    return " ".join(f"{name}={value}" for name, value in (told | told.get("options", {})).items() if name != "options")


def _facts(chosen: Component) -> dict[str, Any]:
    """What may set two components of one label apart: options away from their defaults, function, version, code."""
    identity = chosen.identity()
    facts = {"function": identity["name"], "version": identity["version"], "code": identity.get("code")}
    return facts | identity.get("options", {})


def rows_of(grid: Grid) -> dict[tuple[str, ...], list[Slot]]:
    """The grid's cells by what is said of them, their seeds aside."""
    rows: dict[tuple[str, ...], list[Slot]] = {}
    labels = Labels(grid.jobs)
    for slot in grid.slots:
        names = dict(slot.cells[0].names)
        names["masker"] += labels.variant(slot.job.setting, dense=slot.density == 1)
        rows.setdefault((*names.values(), f"{slot.density:g}"), []).append(slot)
    return rows
