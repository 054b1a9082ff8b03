"""Which metric goes with the accuracy drop: Pearson's correlations, Figures 3 and 4 of Cunegatti et al.

``how="drop"`` correlates each metric with the drop itself; ``how="regressors"``, what the paper does, with the output of each of the
eight regressors fitted to the drop, averaged over the eight: smoother, and larger in size, as the output lies in the metrics' span.
Positive means: the more of it, the larger the drop.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import pandas as pd

from pruneexp.errors import UserError, unknown
from pruneexp.studies.prediction.pool import METRICS
from pruneexp.studies.prediction.regression import fit_predict, min_max, regressors

How = Literal["regressors", "drop"]

LEAST = 3  # networks


def correlations(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson's r of each column of x [n, k] with y [n]; 0 where either does not vary.

    >>> correlations(np.array([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0]]), np.array([3.0, 2.0, 1.0]))
    array([-1.,  0.])
    """
    x, y = x - x.mean(axis=0), y - y.mean()
    sizes = np.sqrt((x**2).sum(axis=0) * (y**2).sum())
    return np.asarray(np.divide(y @ x, sizes, out=np.zeros(x.shape[1]), where=sizes > 0))


def importance(x: np.ndarray, y: np.ndarray, how: How = "regressors") -> np.ndarray:
    """[k] in -1 ... 1 for x [n, k] and drops y [n].

    Raises:
        UserError: `how` is neither of the two, or fewer than three networks.
    """
    if how not in get_args(How):
        raise UserError(unknown("importance", how, get_args(How)))
    if len(y) < LEAST:
        raise UserError(f"importance needs at least three networks with every metric, got {len(y)}.")
    if how == "drop":
        return correlations(x, y)
    x = min_max(x)
    outputs = [fit_predict(model, x, y, x) for model in regressors().values()]
    return np.asarray(np.mean([correlations(x, output) for output in outputs], axis=0))


def importances(frame: pd.DataFrame, by: str, how: How, metrics: Sequence[str] = METRICS) -> pd.DataFrame:
    """A row for each value of the column `by` (sparsity: Figure 3, model: Figure 4), a column for each metric."""
    whole, names = frame.dropna(subset=list(metrics)), list(metrics)
    found = {
        group: importance(part[names].to_numpy(float), part["drop"].to_numpy(float), how)
        for group, part in whole.groupby(by)
    }
    return pd.DataFrame.from_dict(found, orient="index", columns=names).rename_axis(by)
