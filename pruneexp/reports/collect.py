"""The grid's records as one data frame, a row for each cell."""

import math
from typing import Any

import pandas as pd

from pruneexp.config import identity
from pruneexp.grid import Grid
from pruneexp.job import DEFAULTS, DENSE_OPTIONS, GROUPS, Job
from pruneexp.records.store import Store

CONTROLS = ("invert", "shuffle", "reinit")  # always named: what is left of a method is not the method
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
        UserError: a record is damaged.
    """
    store = Store(grid.config.results_dir)
    labels = Labels(grid.jobs)
    rows, records = [], []
    called: dict[tuple[int, bool], dict[str, Any]] = {}  # by configuration but for the seed
    for key, (job, cell) in grid.cells().items():
        record = store.read(key)
        if record is None:
            continue
        records.append(record)
        same = id(job.shared), cell.density == 1
        if same not in called:
            called[same] = labels.row(job, dense=cell.density == 1)
        row = dict(called[same])
        row["precision"] = record["precision"]
        row |= {"asked_density": cell.density, "seed": cell.seed}
        row |= {column: record[column] for column in COLUMNS}
        row |= {column: math.nan if record.get(column) is None else record[column] for column in LATER}
        row |= {f"topology/{name}": value for name, value in record.get("topology", {}).items()}
        for device, times in record.get("latency", {}).items():
            row |= {f"latency/{device}/{batch}": milliseconds for batch, milliseconds in times.items()}
        if "neurons" in record.get("notes", {}) and job.removes_neurons:
            row["neurons"] = record["notes"]["kept_neurons"] / record["notes"]["neurons"]
        row["components"] = sum(layer["components"] for layer in record["layers"])
        row["pruning_seconds"] = record["seconds"]["scoring"] + record["seconds"]["masking"]
        row["training_seconds"] = record["seconds"]["training"]
        rows.append(row)
    return pd.DataFrame(rows), records


class Labels:
    """Names for tables: the configuration's name, with the options that set apart two of the same name."""

    def __init__(self, jobs: list[Job]) -> None:
        jobs = list({id(job.shared): job for job in jobs}.values())  # seeds have no part in names
        self.varying: dict[tuple[str, str], list[str]] = {}
        for group in GROUPS:
            by_name: dict[str, list[dict[str, Any]]] = {}
            for job in jobs:
                by_name.setdefault(job.shared[group].name, []).append(dict(job.shared[group]))
            for name, nodes in by_name.items():
                options = sorted({option for node in nodes for option in node})
                differ = [o for o in options if len({str(identity(node.get(o))) for node in nodes}) > 1]
                self.varying[group, name] = differ

        # an option is named where it sets apart two jobs that are otherwise called the same
        namesakes: dict[tuple[str, ...], list[Job]] = {}
        for job in jobs:
            namesakes.setdefault(tuple(self.of(job, group) for group in GROUPS), []).append(job)
        self.options = [
            option
            for option in DEFAULTS
            if option in CONTROLS or any(len({j.shared.get(option) for j in same}) > 1 for same in namesakes.values())
        ]

    def row(self, job: Job, dense: bool) -> dict[str, Any]:
        """What a row says of the cell's configuration, its density and seed aside."""
        row: dict[str, Any] = {group: self.of(job, group) for group in GROUPS}
        if not job.needs_scores:
            row["scorer"] = "none"
        if dense:
            row["scorer"] = row["masker"] = "dense"
        row["masker"] += self.variant(job, dense)
        row["chance"] = 100 / job.shared.dataset.classes
        return row

    def variant(self, job: Job, dense: bool) -> str:
        """The options outside the groups that vary over the grid, where not at their default; of a dense network those that concern it."""
        options = [o for o in self.options if not dense or o in DENSE_OPTIONS]
        if not job.needs_scores:  # nor rounds
            options = [o for o in options if o != "rounds"]
        if job.rounds == 1:
            options = [o for o in options if o != "round_masker"]  # there is no round before the last
        options = [o for o in options if job.shared[o] != DEFAULTS[o]]
        return f"[{','.join(f'{option}={job.shared[option]}' for option in options)}]" if options else ""

    def of(self, job: Job, group: str) -> str:
        node = job.shared[group]
        differ = self.varying[group, node.name]
        return node.name + (f"[{','.join(f'{option}={node.get(option)}' for option in differ)}]" if differ else "")
