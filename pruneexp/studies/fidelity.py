"""How much of the papers stands reproduced: every published figure, whether ours exists, and whether the two agree.

    python -m pruneexp.studies.fidelity [--report-dir results]

Reads what the papers print (results/published), our cells (records/) and what other studies have computed (tables/, benchmarks/), and
writes tables/fidelity.{csv,md,json}; `LEGEND` says what stands in them. Nothing is trained.

When two figures agree is said in `pruneexp.studies.published.agreement`: of accuracies by the 95 % intervals over seeds, so that below
three seeds nothing is said; figures that are counted, or are of the authors' own networks, have to be as printed.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pruneexp.reports.text import number
from pruneexp.studies import report
from pruneexp.studies.published.agreement import AT, ELSEWHERE, NOT, PAPERS
from pruneexp.studies.published.computed import of_densities, of_rankings, of_regressions, of_shapes
from pruneexp.studies.published.networks import of_networks

SAME = "the same figure stands beside each"  # in a source: the paper does not say of which of several rows its one figure is
LEGEND = """
Every figure that the papers print and results/published has, once: a number that two tables repeat counts in the first. `{at}`: ours
exists at the published recipe, or is computed as the paper computes it; `{elsewhere}`: only at a shorter or another recipe, which
proves nothing; `{missing}`: not run. Where Cunegatti et al.'s text and public code differ (ER, the scores, biases), either is their recipe:
nobody can verify which the printed numbers are of. `inside`: ours less the published one is within the `joint` interval
sqrt(a^2 + b^2) + u / 2, a and b the half widths of the two 95 % intervals (b = 0 where no spread is printed), u the unit of the last
printed digit; a wide one holds much, so that inside does not mean equal. Accuracies of fewer than three seeds and normalised IMDB, of
which our table has means alone, have no interval; `largest difference` is of all that have one. Intervals of regressions are of the mean
of repeated cross-validations of one pool, which are not independent: they are too narrow for another pool. Densities, shapes, rankings
and IMDB of the papers' own masks, which are counted or of the authors' own networks, have to be as printed. Times are of other machines
and compared with nothing. Every figure, with its row of results/published, is in fidelity.csv.
"""


def fidelity(report_dir: Path) -> pd.DataFrame:
    """A row for each published figure.

    Columns: paper, table, of (what it is a figure of), figure (its kind), published, published_ci95, run (`AT`, `ELSEWHERE` or `NOT`),
    told (our recipe, or the table that ours stands in), n, ours, ci95, difference, joint (half width of the joint interval), verdict
    (``inside``, ``outside`` or nothing), published_row.

    Args:
        report_dir: holds records/, tables/ and benchmarks/, of which any may be missing.

    Raises:
        UserError: a record cannot be believed.
    """
    made = of_networks, of_regressions, of_rankings, of_densities
    found = [*(row for part in made for row in part(report_dir)), *of_shapes()]
    found.sort(key=_place)
    table = pd.DataFrame(found)
    repeated = table["source"].str.contains(SAME) & table.duplicated(["source", "figure", "published"])
    return table[~repeated].drop(columns="source").reset_index(drop=True)


def _place(row: dict[str, Any]) -> tuple[int, int]:
    return list(PAPERS.values()).index(row["paper"]), int(row["table"].removeprefix("Table ").replace("abstract", "0"))


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each paper, table and kind of figure, and one for all: how many figures there are, run, and inside."""
    marks = pd.DataFrame({"cells": 1}, table.index)
    marks = marks.assign(**{run: (table["run"] == run).astype(int) for run in (AT, ELSEWHERE, NOT)})
    marks["with interval"] = (table["verdict"] != "").astype(int)
    marks = marks.assign(**{verdict: (table["verdict"] == verdict).astype(int) for verdict in ("inside", "outside")})
    groups = [table["paper"], table["table"], table["figure"]]
    found = marks.groupby(groups, sort=False).sum()
    found["largest difference"] = (
        table["difference"].abs().where(table["verdict"] != "").groupby(groups, sort=False).max()
    )
    total = {"paper": "all", "table": "", "figure": ""} | {name: marks[name].sum() for name in marks}
    return pd.concat([found.reset_index(), pd.DataFrame([total])], ignore_index=True)


def readable(table: pd.DataFrame) -> str:
    """The summary, and the networks that have been run."""
    accuracies = table[table["figure"] == "accuracy"]
    run = accuracies[accuracies["run"] != NOT].sort_values("run", ascending=False, kind="stable")
    own = [_shown(mean, half) for mean, half in zip(run["ours"], run["ci95"], strict=True)]
    theirs = [_shown(mean, half) for mean, half in zip(run["published"], run["published_ci95"], strict=True)]
    shown = run[["paper", "table", "of"]].assign(
        recipe=run["told"], n=run["n"].astype(int), ours=own, published=theirs,
        joint=[number(half, 2) for half in run["joint"].where(run["verdict"] != "")], verdict=run["verdict"],
    )  # fmt: skip
    glance = summary(table)
    glance["largest difference"] = glance["largest difference"].map(
        lambda value: "" if pd.isna(value) else f"{value:.3g}"
    )
    parts = [
        headline(accuracies),
        glance.to_markdown(index=False),
        "Networks that have been run:",
        shown.to_markdown(index=False),
    ]
    return "\n\n".join([*map(str, parts), LEGEND.format(at=AT, elsewhere=ELSEWHERE, missing=NOT).strip()])


def headline(accuracies: pd.DataFrame) -> str:
    """How many of the published accuracies stand reproduced, in a sentence."""
    run, verdict = accuracies["run"].value_counts(), accuracies["verdict"].value_counts()
    inside, outside = int(verdict.get("inside", 0)), int(verdict.get("outside", 0))
    return (
        f"Of {len(accuracies)} published accuracies {run.get(AT, 0)} have been run at the published recipe, {inside + outside} of them"
        f" with three seeds or more: {inside} inside the joint interval, {outside} outside. {run.get(ELSEWHERE, 0)} have been run at"
        f" another recipe only, {run.get(NOT, 0)} not at all."
    )


def _shown(mean: float, half: float) -> str:
    return "" if math.isnan(mean) else f"{mean:.2f}" if math.isnan(half) else f"{mean:.2f} ± {half:.2f}"


def main(arguments: Sequence[str] | None = None) -> None:
    options = report.parser(__doc__).parse_args(arguments)
    table = fidelity(options.report_dir)
    report.write_table(options.report_dir, "fidelity", table, readable(table), report.made_by("fidelity", arguments))


if __name__ == "__main__":
    report.run(main)
