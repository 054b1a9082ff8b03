"""Published accuracies, IMDBs and times to prune beside those of our networks."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pruneexp.reports.columns.published import BELOW
from pruneexp.reports.frame import SETTING, recorded, tidy
from pruneexp.reports.intervals import interval95
from pruneexp.reports.labels import Labels
from pruneexp.reports.published import ROW, beside_published
from pruneexp.studies import reading
from pruneexp.studies.published.agreement import AT, ELSEWHERE, NOT, about, as_printed, compared, dicts
from pruneexp.system.shipped import published_dir

OF_MASKS = ["imdb", "imdb_norm"]  # whatever the recipe
SECONDS = "pruning_seconds"


def of_networks(report_dir: Path) -> Iterator[dict[str, Any]]:
    """A row for each published figure of a network, ours beside it.

    Args:
        report_dir: holds records/, benchmarks/masks.json and tables/ramanujan_table6_imdb.csv.

    Raises:
        UserError: a record cannot be believed.
    """
    ours, times, imdbs = our_rows(report_dir / "records"), _times(report_dir), _imdbs(report_dir)
    by_row = dict(list(ours.groupby(ROW)))
    for row in dicts(printed()):
        told = list(dict.fromkeys(row[name] for name in ("dataset", "model", "scorer", "masker", "options")))
        of = f"{' '.join(word for word in told if word not in ('', 'none'))} at {100 * float(row['density']):g} %"
        part = by_row.get(row[ROW], ours.head(0))
        if row["accuracy"] or BELOW in row["source"]:
            run, by, values = _chosen(part, "accuracy", row)
            figures = compared("accuracy", row["accuracy"], float(row["ci95"] or "nan"), values, _half(values))
            yield about(row, row["file"], of, run, by) | figures | ({"verdict": ""} if run != AT else {})
        for figure in OF_MASKS:
            if row.get(figure):
                _, by, values = _chosen(part, figure, row)
                figures = compared(figure, row[figure], math.nan, values, _half(values))
                if table := imdbs.get((*_network(row), float(row["density"]))):
                    by, values = "ramanujan_table6_imdb", [float(table[figure])]
                    # the paper's masks are the same for every seed; how far others are apart the table does not say
                    same = _rounding(values[0]) if row["masker"].startswith("ramanujan") else math.nan
                    figures = compared(figure, row[figure], math.nan, values, same) | {"n": table["n"]}
                yield about(row, row["file"], of, AT if values else NOT, by, last=True) | figures
        if row[SECONDS]:
            taken = times.get((row["model"], float(row["density"]), float(row[SECONDS])), [])
            said = about(row, row["file"], of, AT if taken else NOT, "benchmarks/masks.json" if taken else "")
            yield said | compared("seconds", row[SECONDS], math.nan, taken, math.nan)


def _half(values: Sequence[float]) -> float:
    return interval95(pd.Series(values, dtype=float))


def _chosen(part: pd.DataFrame, figure: str, row: dict[str, Any]) -> tuple[str, str, list[float]]:
    """Of our rows of one published network that of the published recipe with most seeds, else that of the most epochs: where it was run,
    its recipe and what else it is called by otherwise than the published row, and the seeds' figures."""
    part = part[part[figure].map(len) > 0] if figure in part else part.head(0)
    if part.empty:
        return NOT, "", []
    exact = part[part["published_elsewhere"].isna()]
    rows = (
        part.sort_values("epochs")
        if exact.empty
        else exact.loc[exact[figure].map(len).sort_values(kind="stable").index]
    )
    found = rows.iloc[-1]
    others = [found[name] for name in ("scorer", "masker", "options") if found[name] != row[name]]
    return ELSEWHERE if exact.empty else AT, ", ".join([found["recipe"], *others]), found[figure]


def _rounding(value: float) -> float:
    """Half a unit of the last of the six digits that a study's table has."""
    return 0.5 * 10.0 ** (math.floor(math.log10(abs(value))) - 5) if value else 0.0


def _network(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in ("dataset", "model", "scorer", "masker"))


def _imdbs(report_dir: Path) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The rows of the study of Table 6's masks, by network and density."""
    if not reading.there(path := report_dir / "tables" / "ramanujan_table6_imdb.csv"):
        return {}
    rows = reading.table(path, keep_default_na=False)
    reading.numbers(path, rows, ["asked_density", "n", *OF_MASKS])
    with reading.told(path):
        return {(*_network(row), row["asked_density"]): row for row in dicts(rows)}


def _times(report_dir: Path) -> dict[tuple[str, float, float], list[float]]:
    """Seconds to make a mask by network, density and the paper's seconds; the benchmark has networks that the paper has not, too."""
    if not reading.there(path := report_dir / "benchmarks" / "masks.json"):
        return {}
    with reading.told(path):
        rows = json.loads(reading.content(path))["rows"]
        of_paper = [row for row in rows if "paper_seconds" in row]
        return {
            (row["network"], row["density"], row["paper_seconds"]): [float(row["mask_seconds"])] for row in of_paper
        }


def printed() -> pd.DataFrame:
    """The rows of results/published/*.csv as text, as printed."""
    files = [as_printed(path).assign(file=path.stem) for path in sorted(published_dir().glob("*.csv"))]
    return pd.concat(files, ignore_index=True).fillna("")


def our_rows(folder: Path) -> pd.DataFrame:
    """Our cells in groups that differ in their seeds alone, those with a published row.

    Columns: `published_row`, `published_elsewhere` (see `beside_published`), recipe, epochs, and of every figure a list of the seeds'.
    """
    labels = Labels()
    told = [tidy(((r, r["names"]) for r in recorded(path).values()), labels) for path in sorted(folder.glob("*.jsonl"))]
    if not told:
        return pd.DataFrame(columns=[ROW, "published_elsewhere", "recipe", "epochs", "accuracy", *OF_MASKS])
    cells = pd.concat(told, ignore_index=True).drop_duplicates("key")
    groups = cells.groupby("group", sort=False)
    table = groups[[*SETTING, "epochs"]].first()
    figures = [figure for figure in ("accuracy", *OF_MASKS) if figure in cells]
    table = table.join(groups[figures].agg(_known))
    return beside_published(table).dropna(subset=[ROW])


def _known(values: "pd.Series[float]") -> list[float]:
    return list(values.dropna())
