"""The papers' figures beside ours."""

import functools
from pathlib import Path

import pandas as pd

from pruneexp.system.shipped import published_dir

MASKS = ["dataset", "model", "scorer", "masker", "options", "asked_density"]
ROW = "published_row"  # file and row that a published figure stands in
OF_TRAINING = ["published", "published_ci95", "source", ROW]
OF_MASKS = ["published_imdb", "published_pruning_seconds"]


@functools.cache
def published() -> pd.DataFrame:
    """Everything published: what it is of in our labels, recipe and options among them, and the figures."""
    files = [numbered(path, pd.read_csv(path, comment="#")) for path in sorted(published_dir().glob("*.csv"))]
    names = {"density": "asked_density", "accuracy": "published", "ci95": "published_ci95"}
    found = pd.concat(files).rename(
        columns={**names, "imdb": "published_imdb", "pruning_seconds": "published_pruning_seconds"}
    )
    return found.reset_index(drop=True).assign(options=found["options"].fillna("").to_numpy())


def numbered(path: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of a file with its name and their numbers, from one on, as `ROW`."""
    return rows.assign(**{ROW: [f"{path.name}:{number}" for number in range(1, len(rows) + 1)]})


def beside_published(table: pd.DataFrame) -> pd.DataFrame:
    """Join the papers' figures on what they name.

    Accuracies (published, published_ci95, source) stand only where the recipe is the published one, label for label; what is of the masks
    alone (published_imdb, published_pruning_seconds) whatever the recipe; `published_elsewhere` is the recipe of an accuracy
    that is published of the same network and masks, and stands not here because this recipe is another.
    """
    theirs, table = published(), table.reset_index(drop=True)
    exact = (
        theirs.dropna(subset=["source"]).drop_duplicates([*MASKS, "recipe"]).set_index([*MASKS, "recipe"])[OF_TRAINING]
    )
    found = table.join(exact, on=[*MASKS, "recipe"])
    masks = (
        theirs.drop_duplicates(MASKS)
        .set_index(MASKS)[[*OF_MASKS, "recipe", ROW]]
        .rename(columns={"recipe": "published_elsewhere", ROW: "of_masks"})
    )
    found = found.join(masks, on=MASKS)
    found[ROW] = found[ROW].fillna(found.pop("of_masks"))
    return found.assign(published_elsewhere=found["published_elsewhere"].where(found["source"].isna()))
