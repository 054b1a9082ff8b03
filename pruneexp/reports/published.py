"""The papers' figures beside ours."""

import functools
from pathlib import Path
from typing import Any

import pandas as pd

from pruneexp.system.shipped import published_dir

MASKS = ["dataset", "model", "scorer", "masker", "options", "asked_density"]
ROW = "published_row"  # file and row that a published figure stands in
OF_TRAINING = ["published", "published_ci95", "source", ROW]
OF_MASKS = ["published_imdb", "published_imdb_norm", "published_pruning_seconds"]


@functools.cache
def published() -> pd.DataFrame:
    """Everything published: what it is of in our labels, recipe and options among them, and the figures; `remark`, where a file has one.

    What a paper's text and its public code call by one name stands there under both of our labels (topology/also.csv).
    """
    files = [numbered(path, pd.read_csv(path, comment="#")) for path in sorted(published_dir().glob("*.csv"))]
    names = {"density": "asked_density", "accuracy": "published", "ci95": "published_ci95"}
    names |= {name.removeprefix("published_"): name for name in OF_MASKS}
    found = pd.concat(files).rename(columns=names)
    found = found.reset_index(drop=True).assign(options=found["options"].fillna("").to_numpy())
    return _under_other_labels(found if "remark" in found else found.assign(remark=None))


def _under_other_labels(found: pd.DataFrame) -> pd.DataFrame:
    """With another row for each of Cunegatti et al.'s that changes of topology/also.csv make: those of one `as` are made together."""
    theirs, made = found[found["recipe"].str.startswith("topology_")], [found]
    for _, changes in _of_topology("also").groupby("as", sort=False):
        others = theirs.copy()
        for change in changes.to_dict("records"):
            chosen = theirs[change["column"]].eq(change["printed"]) & _where(theirs, change["where"])
            others.loc[chosen, change["column"]] = change["label"]
        made.append(others[others[[*MASKS, "recipe"]].ne(theirs[[*MASKS, "recipe"]]).any(axis=1)])
    return pd.concat(made, ignore_index=True)


def remarks(table: pd.DataFrame) -> list[str]:
    """What has to be known of the papers' figures in a table: their own remarks, and those on their sources (topology/remarks.csv).

    Args:
        table: `beside_published`.
    """
    sources = table["source"].fillna("")
    on_sources = [
        one["remark"]
        for one in _of_topology("remarks").to_dict("records")
        if (sources.str.startswith(one["source"]) & _where(table, one["where"])).any()
    ]
    return list(dict.fromkeys([*table["remark"].dropna(), *on_sources]))


def _of_topology(name: str) -> pd.DataFrame:
    return pd.read_csv(published_dir() / "topology" / f"{name}.csv", comment="#", keep_default_na=False)


def _where(rows: pd.DataFrame, condition: str) -> "pd.Series[bool]":
    """Which rows a condition is true for; all, where it is empty."""
    true: Any = rows.eval(condition) if condition else pd.Series(True, rows.index)
    chosen: pd.Series[bool] = true
    return chosen


def numbered(path: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of a file with its name and their numbers, from one on, as `ROW`."""
    return rows.assign(**{ROW: [f"{path.name}:{number}" for number in range(1, len(rows) + 1)]})


def beside_published(table: pd.DataFrame) -> pd.DataFrame:
    """Join the papers' figures on what they name.

    Accuracies (published, published_ci95, source) stand only where the recipe is the published one, label for label; what is of the masks
    alone (published_imdb, published_imdb_norm, published_pruning_seconds) whatever the recipe; `published_elsewhere` is the recipe of an
    accuracy that is published of the same network and masks, and stands not here because this recipe is another. `remark` is what the
    papers' file says of a figure that stands here.
    """
    theirs, table = published(), table.reset_index(drop=True)
    exact = (
        theirs.dropna(subset=["source"])
        .drop_duplicates([*MASKS, "recipe"])
        .set_index([*MASKS, "recipe"])[[*OF_TRAINING, "remark"]]
    )
    found = table.join(exact, on=[*MASKS, "recipe"])
    masks = (
        theirs.drop_duplicates(MASKS)
        .set_index(MASKS)[[*OF_MASKS, "recipe", "remark", ROW]]
        .rename(columns={"recipe": "published_elsewhere", "remark": "remark_on_masks", ROW: "of_masks"})
    )
    found = found.join(masks, on=MASKS)
    on_masks = found.pop("remark_on_masks").where(found[OF_MASKS].notna().any(axis=1))
    found["remark"] = found["remark"].where(found["source"].notna(), on_masks)
    found[ROW] = found[ROW].fillna(found.pop("of_masks"))
    return found.assign(published_elsewhere=found["published_elsewhere"].where(found["source"].isna()))
