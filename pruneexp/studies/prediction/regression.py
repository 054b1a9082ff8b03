"""Table 3 of Cunegatti et al.: how well each graph encoding's metrics predict the accuracy drop, by eight regressors.

Features are scaled to [0, 1]; each of the eight is trained on four of five shuffled parts and predicts the fifth, so that every network
has one prediction by a regressor that has not seen it. Over those n predictions with k features

    R^2 = 1 - sum (y - p)^2 / sum (y - mean y)^2,    adjusted R^2 = 1 - (1 - R^2) (n - 1) / (n - k - 1),    MAE = mean |y - p|,

averaged over the eight; mean and deviation over repeats with other shuffles. (Folds one by one are too small: fifty
networks against sixteen features.) Principal component regression keeps all components, scikit-learn's default, and so
repeats least squares; with 95 % of the variance alone the paper's averages are not reached. Lasso and elastic net need a
penalty near 1e-3: at 1 they predict the mean.
"""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import (
    ARDRegression,
    BayesianRidge,
    ElasticNet,
    HuberRegressor,
    Lasso,
    LinearRegression,
    Ridge,
)
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline

from pruneexp.components.options import checked
from pruneexp.components.values import Count
from pruneexp.errors import UserError
from pruneexp.studies.prediction.pool import METRICS, ROLLED

ENCODINGS = {
    "rolled_bge": [f"rolled_{name}" for name in ROLLED],
    "rolled_channel_bge": [f"channel_{name}" for name in ROLLED],
    "unrolled_mge": list(METRICS),
}
SCENARIOS = {"sparsity_fixed": "sparsity", "architecture_fixed": "model"}
FOLDS = 5


def regressors(alpha: float = 1e-3) -> dict[str, Any]:
    """The eight of appendix A.6, unfitted; `alpha` is the penalty of lasso and elastic net."""
    return {
        "linear": LinearRegression(),
        "ridge": Ridge(),
        "lasso": Lasso(alpha),
        "elastic_net": ElasticNet(alpha),
        "huber": HuberRegressor(max_iter=1000),
        "principal_component": make_pipeline(PCA(), LinearRegression()),
        "bayesian_ridge": BayesianRidge(),
        "ard": ARDRegression(),
    }


def fit_predict(model: Any, x: np.ndarray, y: np.ndarray, to: np.ndarray) -> np.ndarray:
    """Predictions [m] for `to` [m, k] of the model fitted to x [n, k] and y [n]; its last steps need not have converged."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(model.fit(x, y).predict(to))


def min_max(x: np.ndarray) -> np.ndarray:
    """Columns scaled to [0, 1]; a constant column becomes 0."""
    width = np.ptp(x, axis=0)
    return np.asarray((x - x.min(axis=0)) / np.where(width > 0, width, 1))


def adjusted_r2(truth: np.ndarray, predicted: np.ndarray, features: int) -> float:
    """1 - (1 - R^2) (n - 1) / (n - features - 1).

    Raises:
        UserError: no more values than features + 1, or all true values equal.
    """
    n, spread = len(truth), float(((truth - truth.mean()) ** 2).sum())
    if n <= features + 1 or spread == 0:
        raise UserError(f"adjusted R^2 needs more than {features + 1} values that are not all the same, got {n}.")
    return 1 - float(((truth - predicted) ** 2).sum()) / spread * (n - 1) / (n - features - 1)


def cross_validate(x: np.ndarray, y: np.ndarray, repeats: int, alpha: float = 1e-3) -> np.ndarray:
    """(adjusted R^2, MAE) averaged over the eight regressors, [repeats, 2]; x [n, k] unscaled. Shuffle r is seeded with r."""
    x, results = min_max(x), np.empty((repeats, 2))
    for repeat in range(repeats):
        folds, found = list(KFold(FOLDS, shuffle=True, random_state=repeat).split(x)), []
        for model in regressors(alpha).values():
            predicted = np.empty(len(y))
            for train, test in folds:
                predicted[test] = fit_predict(model, x[train], y[train], x[test])
            found.append((adjusted_r2(y, predicted, x.shape[1]), np.abs(y - predicted).mean()))
        results[repeat] = np.mean(found, axis=0)
    return results


@checked
def table3(frame: pd.DataFrame, repeats: Count = 100) -> Iterator[dict[str, Any]]:
    """Two rows (adjusted_r2, mae) for each encoding that `frame` has, scenario and group: n, mean and std over repeats.

    Networks without one of an encoding's metrics are left out of its rows.

    Raises:
        UserError: repeats below 1, or a group too small for its features.
    """
    for encoding, names in ENCODINGS.items():
        if not set(names) <= set(frame.columns):
            continue
        whole = frame.dropna(subset=names)
        for scenario, key in SCENARIOS.items():
            for group, part in whole.groupby(key):
                if len(part) <= len(names) + 1:
                    raise UserError(
                        f"{group} has {len(part)} networks with every metric; {encoding} needs {len(names) + 2}."
                    )
                found = cross_validate(part[names].to_numpy(float), part["drop"].to_numpy(float), repeats)
                about = {"encoding": encoding, "scenario": scenario, "group": str(group), "n": len(part)}
                deviation = found.std(axis=0, ddof=1) if repeats > 1 else np.full(2, np.nan)
                for column, metric in enumerate(("adjusted_r2", "mae")):
                    yield {"metric": metric} | about | {"mean": found[:, column].mean(), "std": deviation[column]}
