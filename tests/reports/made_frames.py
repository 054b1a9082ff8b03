"""Tidy frames made by hand, as `pruneexp.reports.frame.tidy` makes them of records."""

import math
from typing import Any

import pandas as pd

from pruneexp.reports.frame import SETTING

CONSTANT: dict[str, Any] = {
    "dataset": "cifar100",
    "model": "vgg16",
    "scorer": "magnitude",
    "masker": "sparsify",
    "recipe": "laenen_cifar",
    "options": "",
    "precision": "float32",
    "asked_density": 0.01,
    "density": 0.01,
    "accuracy": 60.0,
    "loss": 1.0,
    "validation_accuracy": 61.0,
    "chance": 1.0,
    "lambda2_min": 0.5,
    "imdb": 1.0,
    "imdb_sum": 3.0,
    "imdb_norm": 0.2,
    "imdb_layers": 3,
    "effective_density": 0.01,
    "collapsed_layers": 0,
    "parameters": 1200,
    "components": 3,
    "dead_filters": 0,
    "macs": 10,
    "total_epochs": 160,
    "diverged": False,
    "pruning_seconds": 1.0,
    "training_seconds": 2.0,
    "device": "a machine",
    "git_commit": "0123456789abcdef",
    "command": "python -m pruneexp",
    "key": "a key",
    "digest": "a digest",
    "test_precision": "float32",
    "data_sha256": "0" * 64,
}


def cells(**columns: Any) -> pd.DataFrame:
    """Cells of one setting; `columns` replace the defaults and say how many there are.

    Seeds count up within a setting; cells are compared with the dense ones of their data set, model, recipe, options and precision.
    """
    count = len(next(iter(columns.values())))
    found = pd.DataFrame({**{name: [value] * count for name, value in CONSTANT.items()}, **columns})
    found["group"] = _joined(found)
    found["dense_group"] = _joined(found.assign(scorer="dense", masker="dense", asked_density=1.0))
    found["accuracy"] = found["accuracy"].astype(float)
    if "seed" not in found:
        found["seed"] = found.groupby("group").cumcount()
    dense = {
        (row["group"], row["seed"]): row["accuracy"]
        for row in found.to_dict("records")
        if row["group"] == row["dense_group"]
    }
    found["drop"] = [
        math.nan
        if row["group"] == row["dense_group"]
        else dense.get((row["dense_group"], row["seed"]), math.nan) - row["accuracy"]
        for row in found.to_dict("records")
    ]
    return found


def _joined(found: pd.DataFrame) -> list[str]:
    return [" ".join(map(str, row)) for row in found[SETTING].itertuples(index=False)]
