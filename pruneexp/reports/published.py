"""The papers' figures beside ours."""

import functools

import pandas as pd

from pruneexp.system.shipped import published_dir

MASKS = ["dataset", "model", "scorer", "masker", "options", "asked_density"]
OF_TRAINING = ["published", "published_ci95", "source"]
OF_MASKS = ["published_imdb", "published_imdb_norm", "published_pruning_seconds"]


@functools.cache
def published() -> pd.DataFrame:
    """Everything published: what it is of in our labels, recipe and options among them, and the figures."""
    files = [pd.read_csv(path, comment="#") for path in sorted(published_dir().glob("*.csv"))]
    names = {"density": "asked_density", "accuracy": "published", "ci95": "published_ci95"}
    names |= {name.removeprefix("published_"): name for name in OF_MASKS}
    found = pd.concat(files).rename(columns=names)
    return found.reset_index(drop=True).assign(options=found["options"].fillna("").to_numpy())


def beside_published(table: pd.DataFrame) -> pd.DataFrame:
    """Join the papers' figures on what they name.

    Accuracies (published, published_ci95, source) stand only where the recipe is the published one, label for label; what is of the masks
    alone (published_imdb, published_imdb_norm, published_pruning_seconds) whatever the recipe; `published_elsewhere` is the recipe of an
    accuracy that is published of the same network and masks, and stands not here because this recipe is another.
    """
    theirs, table = published(), table.reset_index(drop=True)
    exact = (
        theirs.dropna(subset=["source"]).drop_duplicates([*MASKS, "recipe"]).set_index([*MASKS, "recipe"])[OF_TRAINING]
    )
    found = table.join(exact, on=[*MASKS, "recipe"])
    masks = (
        theirs.drop_duplicates(MASKS)
        .set_index(MASKS)[[*OF_MASKS, "recipe"]]
        .rename(columns={"recipe": "published_elsewhere"})
    )
    found = found.join(masks, on=MASKS)
    return found.assign(published_elsewhere=found["published_elsewhere"].where(found["source"].isna()))
