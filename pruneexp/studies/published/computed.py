"""Published regressions, rankings, densities and shapes beside those that our studies have computed.

Of regressions the intervals are those of the mean of the repeats. Rankings are of the very networks that the authors ranked, densities
and shapes are counted: they have none, and have to be as printed.
"""

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from pruneexp.reports.intervals import t95
from pruneexp.reports.published import ROW, numbered
from pruneexp.studies import reading
from pruneexp.studies.published.agreement import AT, NOT, about, as_printed, compared, dicts
from pruneexp.studies.ramanujan import densities
from pruneexp.studies.topology.ranking_text import NAMES
from pruneexp.system.shipped import published_dir

REPEATS = 100  # of the cross-validation, the paper's and `table3`'s


def _beside(
    file: str, report_dir: Path, table: str, on: list[str]
) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    """The rows of a file under results/published, each with that of our table which has the same keys."""
    path, own = published_dir() / f"{file}.csv", report_dir / "tables" / f"{table}.csv"
    ours = dict[tuple[str, ...], dict[str, Any]]()
    if reading.there(own):
        found = reading.table(own, dtype=str, keep_default_na=False)
        reading.numbers(own, found, ["mean", *({"std", "n"} & {*found})])
        with reading.told(own):
            ours = {tuple(row[key] for key in on): row for row in dicts(found)}
    for row in dicts(as_printed(path)):
        yield row, ours.get(tuple(NAMES.get(row[key], row[key]) if key == "strategy" else row[key] for key in on))


def of_regressions(report_dir: Path) -> Iterator[dict[str, Any]]:
    """Table 3 of Cunegatti et al."""
    on, share = ["metric", "encoding", "scenario", "group"], t95(REPEATS) / math.sqrt(REPEATS)
    for row, ours in _beside("topology/mge_regression", report_dir, "topology_table3", on):
        half = share * float(row["std"] or "nan")
        values = [float(ours["mean"])] if ours else []
        figures = compared(row["metric"], row["mean"], half, values, share * float(ours["std"]) if ours else math.nan)
        of = f"{row['encoding']}, {row['group']}"
        said = about(row, "topology", of, AT if ours else NOT, "topology_table3" if ours else "")
        yield said | figures | {"n": REPEATS if ours else math.nan}


def of_rankings(report_dir: Path) -> Iterator[dict[str, Any]]:
    """Tables 4, 11 and 12 of Cunegatti et al."""
    for number in ("4", "11", "12"):
        name = f"topology_table{number}"
        for row, ours in _beside("topology/mge_ranking_rbo", report_dir, name, ["model", "strategy", "sparsity"]):
            if row["table"] == f"table{number}":
                figures = compared("RBO", row["rbo_mean"], math.nan, [float(ours["mean"])] if ours else [], 0)
                of = f"{row['model']}, {row['strategy']}, {row['sparsity']}"
                said = about(row, "topology", of, AT if ours else NOT, name if ours else "")
                yield said | figures | {"n": float(ours["n"]) if ours else math.nan}


def of_densities(report_dir: Path) -> Iterator[dict[str, Any]]:
    """The densities that Tables 4 and 5 of the Ramanujan paper print beside their accuracies, in percent."""
    if not reading.there(path := report_dir / "tables" / "ramanujan_densities.csv"):
        return
    found = reading.table(path)
    for row in dicts(reading.numbers(path, found, ["table", "printed", "of the 4096 network", "of its own network"])):
        of_wide, of_own = row["of the 4096 network"], row["of its own network"]
        ours = of_own if row["network"] == "alexnet" else of_wide  # see the legend of that table
        source = {"source": f"Table {row['table']}", ROW: ""}
        said = about(source, "ramanujan", f"density of {row['network']}", AT, "ramanujan_densities")
        yield said | compared("density", f"{row['printed']:g}", math.nan, [float(ours)], 0)


def of_shapes() -> Iterator[dict[str, Any]]:
    """Table 2 of the Ramanujan paper: how many layers of a shape, and the q and l of their graphs."""
    path = published_dir() / "ramanujan" / "table2.csv"
    rows = numbered(path, pd.read_csv(path))
    for model, part in rows.groupby("model", sort=False):
        counted = Counter(densities.codes(str(model)))
        for row in dicts(part):
            found = [(code, n) for code, n in counted.items() if code[:2] == (row["rows"], row["columns"])]
            same = found == [((row["rows"], row["columns"], row["q"], row["l"]), row["count"])]
            of = f"{model}: {row['count']} of {row['rows']} x {row['columns']}, q = {row['q']}, l = {row['l']}"
            verdict = {"figure": "shape", "verdict": "inside" if same else "outside"}
            yield about(row, "ramanujan", of, AT, "pruneexp/maskers/ramanujan.py") | verdict
