"""Seeds aggregated: mean, 95 % interval and n of each setting, the published number beside."""

import math

import pandas as pd
from scipy import stats

from pruneexp.cell import GROUPS
from pruneexp.system.shipped import published_dir

SETTING = [*GROUPS, "precision", "asked_density"]


KNOWN = {
    *SETTING, "seed", "density", "accuracy", "loss", "train_loss", "chance", "lambda2_min", "imdb", "imdb_sum", "effective_density",
    "components", "collapsed_layers", "dead_filters", "macs", "parameters", "diverged", "pruning_seconds", "training_seconds",
}  # fmt: skip

AGGREGATED = {
    "n", "ci95", "drop", "neurons", "published", "published_ci95", "published_imdb", "published_pruning_seconds", "source",
}  # fmt: skip


def interval95(values: pd.Series) -> float:
    """Half width of Student's t 95 % confidence interval of the mean; NaN for fewer than two values."""
    n = values.count()
    return float(stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan


def aggregate(cells: pd.DataFrame) -> pd.DataFrame:
    """One row for each (dataset, model, scorer, masker, recipe, precision, asked density), networks in order, densities falling.

    Columns: density (achieved), n, accuracy, ci95 and chance (of a guess) in percent, published and published_ci95; means
    over seeds of lambda2_min, imdb, imdb_sum, effective_density, components (summed over layers), collapsed_layers,
    dead_filters, macs and parameters, and, where records have them, of neurons (share kept) and of whatever was measured, such as
    topology/<metric> and latency/<device>/<batch> (milliseconds, median over seeds); diverged (number of seeds); drop
    (accuracy of the dense network less this); medians of pruning_seconds and training_seconds.
    """
    groups = cells.groupby(SETTING, sort=False, dropna=False)
    table = groups.agg(
        density=("density", "mean"),
        n=("accuracy", "count"),
        accuracy=("accuracy", "mean"),
        ci95=("accuracy", interval95),
        chance=("chance", "first"),
        lambda2_min=("lambda2_min", "mean"),
        imdb=("imdb", "mean"),
        imdb_sum=("imdb_sum", "mean"),
        effective_density=("effective_density", "mean"),
        components=("components", "mean"),
        collapsed_layers=("collapsed_layers", "mean"),
        dead_filters=("dead_filters", "mean"),
        macs=("macs", "mean"),
        parameters=("parameters", "mean"),
        diverged=("diverged", "sum"),
        pruning_seconds=("pruning_seconds", "median"),
        training_seconds=("training_seconds", "median"),
    )
    measured = {column: _how(column) for column in map(str, cells.columns) if column not in KNOWN}
    if measured:  # of the grids that have it
        values = cells[[*SETTING, *measured]].astype(dict.fromkeys(measured, float))
        table = table.join(values.groupby(SETTING, sort=False, dropna=False).agg(measured))
    table = table.reset_index()
    return _beside_published(_with_drop(table)).sort_values(
        ["dataset", "model", "recipe", "asked_density"], ascending=[True, True, True, False], kind="stable"
    )


def _how(column: str) -> str:
    """How what was measured is brought together over seeds."""
    return "median" if column.startswith("latency/") else "mean"


def _with_drop(table: pd.DataFrame) -> pd.DataFrame:
    """Add `drop`: the accuracy of the dense network of the same data set, model, recipe and precision, less the row's."""
    network = ["dataset", "model", "recipe", "precision"]
    dense = table[table["scorer"] == "dense"].groupby(network)["accuracy"].mean()
    unpruned = table[network].merge(dense.reset_index(), on=network, how="left")["accuracy"]
    return table.assign(drop=unpruned.to_numpy() - table["accuracy"])


def _beside_published(table: pd.DataFrame) -> pd.DataFrame:
    """Join the papers' figures (published, published_ci95, published_imdb, published_pruning_seconds, source) on what they name.

    A paper's figures go with recipes of its own family (`recipe`, the start of the name) and its shortened forms.
    Their pruning times are of other machines, and for global masks of another graph: not like for like.
    """
    files = [pd.read_csv(path, comment="#") for path in sorted(published_dir().glob("*.csv"))]
    published = pd.concat(files).rename(
        columns={
            "density": "asked_density",
            "accuracy": "published",
            "ci95": "published_ci95",
            "imdb": "published_imdb",
            "pruning_seconds": "published_pruning_seconds",
        }
    )
    on = ["dataset", "model", "scorer", "masker", "asked_density"]
    columns = ["published", "published_ci95", "published_imdb", "published_pruning_seconds", "source"]
    table = table.reset_index(drop=True)
    met = table[[*on, "recipe"]].reset_index().merge(published.rename(columns={"recipe": "family"}), on=on)
    same = [recipe.startswith(family) for recipe, family in zip(met["recipe"], met["family"], strict=True)]
    return table.join(met.loc[same].set_index("index")[columns])
