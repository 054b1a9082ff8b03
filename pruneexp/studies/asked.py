"""The cells that experiments ask for, each with what is recorded of it."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pruneexp.errors import UserError
from pruneexp.jobs.declared import stem_of
from pruneexp.records.store import Store
from pruneexp.reports.frame import frame_of
from pruneexp.reports.grouping import Facts
from pruneexp.reports.labels import Labels
from pruneexp.reports.presets import Presets
from pruneexp.sweep import Grid, Slot, grids

NOT_HERE = {
    "report_dir": "--report-dir says where its tables go",
    "where": "it is of all cells that its other words ask for",
    "mode": "it reads what is recorded, and runs nothing",
}
NAMED = ["dataset", "model", "recipe"]


def left_in(report_dir: Path, name: str) -> list[Path]:
    """The files of records that reports of experiments whose names begin like this have left."""
    return sorted((report_dir / "records").glob(f"{name}*.jsonl"))


def read(words: Sequence[str]) -> list[Grid]:
    """The grids of a study's words, which are those of a command line.

    Raises:
        UserError: a mistake in them, or a word that says what a study has no part in.
    """
    for word in words:
        if word.partition("=")[0] in NOT_HERE:
            raise UserError(f"{word} has no part in a study: {NOT_HERE[word.partition('=')[0]]}.")
    return grids(words)


def stem(asked: Sequence[Grid]) -> str:
    """What a study's files begin with: the first experiment's name, and the words that make its grid another or a part of it."""
    first = asked[0].declared
    return stem_of(first.title(first.narrows))


def asked_for(asked: Sequence[Grid], files: Sequence[Path], figures: Sequence[str]) -> pd.DataFrame:
    """A row for each pruned cell that these grids ask for, in one precision: that which they name, or the only one that is recorded.

    Columns: key; dataset, model and recipe as tables call them; precision; allocation by the name of the preset that is asked for, also
    where a masker's own rule is the same; choice, the masker's preset and, where that looks at scores, the scorer's; method, the two as
    tables call them, with what is said besides; `besides`, what is said besides the allocation; density, seed; and the figures of the tidy
    frame (`pruneexp.reports.frame.load_results`), NaN where the cell is not recorded.

    Args:
        asked: whose results_dir and records are looked into.
        files: of records, besides.
        figures: columns of the tidy frame.

    Raises:
        UserError: no cell is pruned, none is recorded, some are in another precision than others, or a record is damaged.
    """
    pruned = [
        _row(slot, facts)
        for grid, facts in ((grid, Facts(Labels(Presets(grid.folders)))) for grid in asked)
        for slot in grid.slots
        if slot.density < 1
    ]
    if not pruned:
        raise UserError("these words ask for no pruned cell: name densities below 1.")
    rows = pd.DataFrame(pruned).drop_duplicates("key")
    # of any precision that is not ruled out
    keys = {cell.key: slot.cells[0].key for grid in asked for slot in grid.slots for cell in slot.cells}
    found = []
    for grid in asked:
        options = grid.jobs[0].options
        found.append(frame_of(grid, Store(options.results_dir, [*options.records, *files])))
    recorded = pd.concat(found, ignore_index=True)
    recorded = recorded.drop_duplicates("key").assign(key=lambda cells: cells["key"].map(keys))
    recorded = recorded[recorded["key"].isin(rows["key"])]
    if recorded.empty:
        names = ",".join(dict.fromkeys(grid.jobs[0].options.name for grid in asked))
        raise UserError(
            f"none of the {len(rows)} cells is recorded: run +experiment={names} first, or name results_dir=PATH or records=[FILE]."
        )
    precision, *others = sorted(recorded["precision"].unique())
    if others:
        told = recorded["precision"].value_counts()
        raise UserError(
            "accuracies are compared in one precision, and of these cells"
            f" {' and '.join(f'{told[name]} are recorded in {name}' for name in (precision, *others))}: name one, as in"
            f" trainer.precision={told.idxmax()}."
        )
    whole = rows.assign(precision=precision).merge(
        recorded[["key", *NAMED, *figures]], on="key", how="left", suffixes=("_asked", "")
    )
    for name in NAMED:
        whole[name] = whole[name].fillna(whole.pop(f"{name}_asked"))
    return whole


def _row(slot: Slot, facts: Facts) -> dict[str, object]:
    setting, cell = slot.job.setting, slot.cells[0]
    names, description = cell.names, cell.description
    labels = facts.of(description, names).labels
    looks = setting.components["masker"].about.needs_scores
    method = " ".join(labels[name] for name in ("masker", "scorer")[: 1 + looks])
    others = {name: value for name, value in description.items() if name != "allocation"}
    besides = facts.labels.options(others, {name: value for name, value in names.items() if name != "allocation"})
    return {
        "key": cell.key,
        **{name: labels[name] for name in NAMED},
        "choice": f"{names['masker']} {names['scorer']}" if looks else names["masker"],
        "method": ", ".join(filter(None, (method, labels["options"]))),
        "besides": besides,
        "allocation": setting.config["allocation"]["name"],
        "density": slot.density,
        "seed": slot.job.seed,
    }
