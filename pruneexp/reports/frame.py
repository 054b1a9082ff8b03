"""Records as one tidy data frame, a row for each cell: what tables, figures and people's own analyses are made of."""

import math
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pruneexp.cell import GROUPS
from pruneexp.errors import UserError, first_line
from pruneexp.jobs.rules import no_comparison
from pruneexp.records.record import FIGURES, Record, precision_of_test, shown_of
from pruneexp.records.store import Store, read_records
from pruneexp.reports.grouping import Facts
from pruneexp.reports.labels import Labels
from pruneexp.reports.presets import Presets
from pruneexp.sweep import Grid
from pruneexp.system.files import kind_of

SETTING = [*GROUPS, "options", "precision", "asked_density"]  # what a row of a table is of
NETWORK = ["dataset", "model", "recipe", "precision"]  # whose accuracies can be compared
METHOD = ["scorer", "masker", "options"]  # of a pruned network
OF_ALL = ("components", "neurons", "pruning_seconds", "training_seconds")  # made of several fields
OF_UPDATES = ("start", "mask_updates")  # of cells whose masks change while they train
WHOLE = ("asked_density", "seed", "diverged")
ABOUT = ("device", "git_commit", "command", "key", "digest")
Named = tuple[Record, Mapping[str, str]]


def load_results(source: str | Path, where: str = "none") -> pd.DataFrame:
    """A row for each recorded cell, with everything that tables are made of.

    Columns: dataset, model, scorer, masker, recipe (the preset's name, in brackets what differs from it), options (what else makes the
    cell differ), allocation (of a masker that says itself how many weights each layer keeps the one that means the same), mask_update,
    precision, asked_density, seed; the options that are not at their functions' defaults, such as ``recipe.lr``; what was measured,
    accuracies and `drop` (accuracy of the dense cell of the same description and seed, less its own) in percent, and `drop_unpruned`
    where a model's preset names the unpruned network of its paper (that one's accuracy less its own), times in
    seconds; device, git_commit, command, key, digest (of the record), test_precision and data_sha256; `group` (the same for cells that
    differ in their seeds alone) and `dense_group` (the group of the dense cells that they are compared with).

    Args:
        source: a folder of cells (results_dir), or a file of records as reports leave it (.jsonl).
        where: which rows, as `pandas.DataFrame.query` has it: ``"model == 'resnet20' and asked_density <= 0.1"``; none: all.

    Raises:
        UserError: there is no such folder or file, a record cannot be believed, or `where` cannot be understood.
    """
    records = list(recorded(Path(source)).values())
    return chosen(tidy((record, record["names"]) for record in records), where)


def recorded(source: Path) -> dict[str, Record]:
    """The records of a folder or a file, by key.

    Raises:
        UserError: there is no such folder or file, nobody may look, or a record cannot be believed.
    """
    kind = kind_of(source)
    if not kind:
        raise UserError(f"there is no {source}: name a folder of cells (a results_dir), or a file of records (.jsonl).")
    if kind != stat.S_IFDIR:
        return read_records(source)
    store = Store(source)
    return store.read_all(store.folders())


def chosen(cells: pd.DataFrame, where: str) -> pd.DataFrame:
    """The rows that `where` is true for.

    Raises:
        UserError: it cannot be understood.
    """
    if where == "none" or cells.empty:
        return cells
    try:
        true = cells.eval(where)
        if not isinstance(true, pd.Series) or true.dtype != bool:
            raise TypeError("it is no comparison")
    except Exception as error:  # pandas raises of every kind for what it cannot parse, find or compare
        raise no_comparison(where, first_line(error)) from error
    return cells.loc[true].reset_index(drop=True)


def frame_of(grid: Grid, store: Store | None = None) -> pd.DataFrame:
    """The tidy frame of a grid's finished cells, in its order.

    Args:
        grid: the cells that are asked for.
        store: where they are, unless in the grid's own folder and files.

    Raises:
        UserError: a record is damaged.
    """
    options = grid.jobs[0].options
    store = store or Store(options.results_dir, options.records)
    names = {cell.key: cell.names for slot in grid.slots for cell in slot.cells}
    return tidy(named(store, names), Labels(Presets(grid.folders)))


def named(store: Store, names: Mapping[str, Mapping[str, str]]) -> list[Named]:
    """The records of those cells that are finished, in this order, each with the names that its cell is asked for by.

    Args:
        store: where they are.
        names: by key.

    Raises:
        UserError: a record is damaged.
    """
    return [(record, names[key]) for key, record in store.read_all(names).items()]


def called(source: Path) -> str:
    """What a folder of cells or a file of records is called: the last part of its path."""
    return source.resolve().name.removesuffix(".jsonl")


def tidy(records: Iterable[Named], labels: Labels | None = None) -> pd.DataFrame:
    """One row for each record, in their order; see `load_results`."""
    facts, rows = Facts(labels or Labels()), []
    grouped = [(record, facts.of(record["description"], names).group) for record, names in records]
    for record, group in grouped:
        told, data, seconds = facts.plainest[group], record["data"], record["seconds"]
        row = told.labels | {name: record[name] for name in WHOLE} | {"precision": record["precision"]}
        row |= {name: math.nan if (figure := record.get(name)) is None else figure for name in FIGURES}
        if record["kept"] == record["prunable"]:
            row["imdb"] = row["imdb_sum"] = (
                math.nan
            )  # are of pruned layers; records of before have them of dense networks too
        row["components"] = sum(layer["components"] for layer in record["layers"])
        row["pruning_seconds"] = seconds["scoring"] + seconds["masking"]
        row["training_seconds"] = seconds["training"]
        if "kept_neurons" in (notes := record.get("notes", {})):
            row["neurons"] = notes["kept_neurons"] / notes["neurons"]
        for name in (*shown_of(record), *(name for name in OF_UPDATES if name in record)):
            row |= flat(name, record[name])
        row |= {name: record[name] for name in ABOUT} | told.options
        row["test_precision"] = precision_of_test(record)
        row["data_sha256"] = None if data is None else data["sha256"]
        row |= {"chance": _chance(record), "group": told.group, "dense_group": told.dense}
        if told.unpruned is not None:
            row["unpruned_group"] = told.unpruned
        rows.append(row)
    made = pd.DataFrame(rows) if rows else pd.DataFrame(columns=[*SETTING, "seed", *FIGURES, "drop", *ABOUT])
    return _paired(_told_apart(_of_data(made)))


def _chance(record: Record) -> float:
    """A guess's accuracy in percent; NaN where nobody knows how many classes there are."""
    classes = record.get("classes") or record["description"]["dataset"].get("options", {}).get("classes")
    return 100 / classes if isinstance(classes, int) and classes else math.nan


def flat(name: str, value: Any) -> dict[str, Any]:
    """A measured field as columns: ``latency/cpu/64`` for what lies under these names in a record."""
    if not isinstance(value, Mapping):
        return {name: math.nan if value is None else value}
    return {column: number for key, inner in value.items() for column, number in flat(f"{name}/{key}", inner).items()}


def _of_data(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells that have seen different states of one data set are in different groups, and told apart by the data set's label.

    Those of which nobody knows which state they have seen are a state of their own where there are several.
    """
    if cells.empty:
        return cells
    states = cells.groupby("dataset")["data_sha256"].transform("nunique")
    if (several := states > 1).any():
        state = cells["data_sha256"].fillna("unknown").str[:8]
        for column in cells.columns.intersection(["group", "dense_group", "unpruned_group"]):
            cells[column] = cells[column].where(~several, cells[column] + "-" + state)
        cells["dataset"] = cells["dataset"].where(~several, cells["dataset"] + "[data=" + state + "]")
    return cells


def _told_apart(cells: pd.DataFrame) -> pd.DataFrame:
    """Groups that differ in what no label tells, such as somebody's own code, are told apart by their digests."""
    if cells.empty:
        return cells
    groups = cells.drop_duplicates("group")
    alike = cells["group"].isin(groups.loc[groups.duplicated(SETTING, keep=False), "group"])
    own = cells["options"].where(cells["options"] == "", cells["options"] + ", ") + "cells=" + cells["group"].str[:8]
    cells["options"] = cells["options"].where(~alike, own)
    return cells


def _paired(cells: pd.DataFrame) -> pd.DataFrame:
    """Add `drop`: the accuracy of the dense cell of the same description and seed, less the cell's own; NaN where there is none. And
    where a model has another network that its paper calls unpruned, `drop_unpruned`: the same against that one's dense cell."""
    if cells.empty:
        return cells
    dense = cells.loc[cells["group"] == cells["dense_group"]].set_index(["group", "seed"])["accuracy"]
    place = list(cells.columns).index("accuracy") + 1
    for name, group in (("drop_unpruned", "unpruned_group"), ("drop", "dense_group")):
        if group in cells:
            own = pd.MultiIndex.from_frame(cells[[group, "seed"]])
            cells.insert(place, name, dense.reindex(own).to_numpy() - cells["accuracy"].to_numpy())
            cells.loc[cells["group"] == cells[group], name] = math.nan  # of itself
    return cells
