"""``python -m scripts.rekey_records [--write] [--remake DATA_DIR]``: today's keys for records with keys of the first kind.

Keys once held ``_target_``, no name and version of a component, and no precision that was ``auto``. A record is vouched for where

1. its old key is that of its own description (so that neither was changed since);
2. its own command composes today, and to a cell of its density, seed and precision;
3. that cell's data set, model, scorer, masker and recipe are those of its description, and have no option that its stored
   configuration gives another value.

With ``--remake``, where the masks of its network need no training, they are made again by today's code from the data under DATA_DIR,
and every layer must keep as many weights, have as many dead filters and the same lambda_2 as recorded.

It then gets today's key, description and digest, ``data: null`` (which data it saw was not recorded; no table mixes two *known* states)
and ``rekeyed``: the old key. The others are named and dropped; the tables and figures that show them go too.
"""

import argparse
import json
import math
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from pruneexp.artifacts import Workbench
from pruneexp.cell import GROUPS, Cell, canonical, digest
from pruneexp.components.component import configured
from pruneexp.errors import UserError
from pruneexp.job import Job
from pruneexp.maskers.layer import Notes
from pruneexp.measuring.layers import layer_rows
from pruneexp.records.record import Record, problem, sealed
from pruneexp.records.store import Store
from pruneexp.sweep import expand
from pruneexp.system import files

RECORDS = Path("results/records")
DEFAULTS = (
    "initialisation",
    "rounds",
    "round_masker",
    "when",
    "rewind",
    "rewind_epoch",
    "repair",
    "invert",
    "shuffle",
    "reinit",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="change the files; else only say what would be done")
    parser.add_argument("--remake", metavar="DATA_DIR", help="make masks again and compare")
    arguments = parser.parse_args()
    write, data_dir = arguments.write, arguments.remake
    lines = ["| file | old key | new key, or why it was dropped | masks made again |", "|---|---|---|---|"]
    jobs: dict[tuple[str, str], list[Job]] = {}
    benches: dict[str, Workbench] = {}
    for path in sorted(RECORDS.glob("*.jsonl")):
        kept = []
        for line in path.read_text().splitlines():
            old: Record = json.loads(line)
            if "digest" in old:
                kept.append(old)
                continue
            try:
                new, job = rekeyed(old, jobs)
                masks = remade(old, job, data_dir, benches) if data_dir else "not tried"
                kept.append(new)
                said = f"`{new['key']}` | {masks}"
            except UserError as error:
                said = f"dropped: {error} |"
            print(lines[-1], flush=True)
            lines.append(f"| {path.stem} | `{old['key']}` | {said} |")
        if write and kept:
            files.write(path, "".join(json.dumps(record, sort_keys=True) + "\n" for record in kept))
        elif write:
            path.unlink()
    dropped = sum("| dropped: " in line for line in lines)
    text = "\n".join(
        [
            "<!-- made by: python -m scripts.rekey_records --write -->",
            *lines,
            "",
            f"{len(lines) - 2} records, {dropped} dropped.",
        ]
    )
    print(text)
    if write and len(lines) > 2:
        files.write(RECORDS / "rekeyed.md", text + "\n")


def rekeyed(old: Record, known: dict[tuple[str, str], list[Job]]) -> tuple[Record, Job]:
    """The record under today's key, and a job that makes its cell.

    Raises:
        UserError: it cannot be vouched for.
    """
    if not old["key"].endswith(digest(old["description"])):
        raise UserError("its key is not that of its description")
    cell, job = _today(old, known)
    _agree(old, job, cell)
    new = {name: value for name, value in old.items() if name not in ("key", "description", "config")}
    new |= {"key": cell.key, "description": cell.description, "data": None, "files": {}, "rekeyed": old["key"]}
    record = sealed(new)
    if why := problem(record):
        raise UserError(why)
    return record, job


def remade(old: Record, job: Job, data_dir: str, benches: dict[str, Workbench]) -> str:
    """What came of making the masks again.

    Raises:
        UserError: they are others than those recorded.
    """
    options = job.options
    if job.removes_neurons or options.when != "init" or options.weights != "none":
        return "need a trained network"
    if old["asked_density"] == 1:
        return "dense"
    name = f"{job.setting.describe(dense=False)} {job.seed}"
    if name not in benches:
        benches.clear()
        options.data_dir = data_dir
        benches[name] = Workbench(job, Store("nowhere"), lambda _: None)
    bench = benches[name]
    masks, _ = bench.masks(old["asked_density"], Notes())
    rows = layer_rows(bench.initial, masks)
    for then, now in zip(old["layers"], rows, strict=True):
        same = then["kept"] == now["kept"] and then["dead_filters"] == now["dead_filters"]
        same &= math.isclose(then["lambda2"] or 0, now["lambda2"] or 0, rel_tol=1e-6)
        if not same:
            raise UserError(
                f"its masks come out otherwise today: {then['name']} kept {then['kept']}, now {now['kept']}"
            )
    return "the same"


def _today(old: Record, known: dict[tuple[str, str], list[Job]]) -> tuple[Cell, Job]:
    """The cell that the record's command makes today."""
    weights = old["description"].get("weights", "none")
    same = old["command"], weights
    if same not in known:
        with mock.patch("pruneexp.job.fingerprint", return_value=weights):  # the file itself is not committed
            known[same] = expand(shlex.split(old["command"])[3:]).jobs
            for job in known[same]:
                job.setting.described  # noqa: B018  (while the fingerprint is known)
    dense = old["names"]["masker"] == "dense"
    for job in known[same]:
        if job.seed == old["seed"] and old["asked_density"] in job.densities:
            cell = job.cell(old["asked_density"], old["precision"])
            if dense or cell.names == old["names"] | {"recipe": cell.names["recipe"]}:
                return cell, job
    raise UserError("its command makes no cell of its density and seed today")


def _agree(old: Record, job: Job, cell: Cell) -> None:
    """Raise UserError where the cell is not the one that the record describes."""
    then, now = old["description"], cell.description
    for group in GROUPS:
        if isinstance(then[group], str) or isinstance(now[group], str):
            if then[group] != now[group]:
                raise UserError(f"{group} was {then[group]} and is {now[group]}")
            continue
        label = old["config"][group]["name"] if group == "dataset" else None
        node = then[group] | ({"name": label} if label else {})
        if canonical(configured(group, node).identity()) != canonical(now[group]):
            raise UserError(f"{group} was {then[group]} and is {now[group]}")
        for option, value in _options(old["config"][group]).items():
            have = job.setting.components[group].value(option)
            if _plain(have) != value:
                raise UserError(f"{group}.{option} was {value} and is {have}")
    for option in DEFAULTS:
        if then.get(option) != now.get(option):
            raise UserError(f"{option} was {then.get(option)} and is {now.get(option)}")
    if then.get("weights") != now.get("weights"):
        raise UserError("it started from other weights")
    if then.get("precision", old["precision"]) != now["precision"]:
        raise UserError("it was trained in another precision than its description says")


def _options(node: Mapping[str, Any]) -> dict[str, Any]:
    """What a stored configuration says of a component, but for names, what it is and components inside it."""
    return {
        name: value
        for name, value in node.items()
        if name not in ("name", "_target_", "_partial_", "needs_scores", "removes_neurons")
        and not isinstance(value, Mapping)
    }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


if __name__ == "__main__":
    main()
