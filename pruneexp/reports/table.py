"""Seeds aggregated: mean, 95 % interval and n of each setting, the published number beside."""

import math

import pandas as pd
from scipy import stats

from pruneexp.config import published_dir
from pruneexp.job import GROUPS

SETTING = [*GROUPS, "asked_density"]


def interval95(values: pd.Series) -> float:
    """Half width of Student's t 95 % confidence interval of the mean; NaN for fewer than two values."""
    n = values.count()
    return float(stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan


def aggregate(cells: pd.DataFrame) -> pd.DataFrame:
    """One row for each (dataset, model, scorer, masker, recipe, asked density), in order of first appearance.

    Columns: density (achieved), n, accuracy and ci95 in percent, published and published_ci95, lambda2_min, imdb,
    dead_filters, macs (means over seeds), diverged (number of seeds), pruning_seconds and training_seconds (medians).
    """
    groups = cells.groupby(SETTING, sort=False, dropna=False)
    table = groups.agg(
        density=("density", "mean"),
        n=("accuracy", "count"),
        accuracy=("accuracy", "mean"),
        ci95=("accuracy", interval95),
        lambda2_min=("lambda2_min", "mean"),
        imdb=("imdb", "mean"),
        dead_filters=("dead_filters", "mean"),
        macs=("macs", "mean"),
        diverged=("diverged", "sum"),
        pruning_seconds=("pruning_seconds", "median"),
        training_seconds=("training_seconds", "median"),
    ).reset_index()
    return _beside_published(table).sort_values(
        ["dataset", "model", "recipe", "asked_density"], ascending=[True, True, True, False], kind="stable"
    )


def _beside_published(table: pd.DataFrame) -> pd.DataFrame:
    """Join the papers' accuracies (columns published, published_ci95, source) on what they name."""
    files = [pd.read_csv(path, comment="#") for path in sorted(published_dir().glob("*.csv"))]
    published = pd.concat(files).rename(
        columns={"density": "asked_density", "accuracy": "published", "ci95": "published_ci95"}
    )
    on = ["dataset", "model", "scorer", "masker", "asked_density"]
    return table.merge(published[[*on, "published", "published_ci95", "source"]], on=on, how="left")
