"""Rankings learned from the networks of other (model, sparsity) cells: past the mixture of Cunegatti et al.

The mixture weighs metrics by their correlation with the accuracy drop, which mostly says how much is pruned, not in
which order methods come. Here the target is the place itself: each triplet's methods in order of their drop, scaled to
-1/2 ... 1/2; seeds are averaged beforehand. `forest` and `ridge` predict it from the metrics and the layer density, each
as its own place among the triplet's methods and min-max scaled over the model, with the model and log density. `prior`
looks at no graph at all: it gives each method its mean place among the seen networks of the same model or sparsity -
what any use of topology has to beat.
"""

from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import Ridge

from pruneexp.errors import UserError, unknown
from pruneexp.studies.prediction.pool import METRICS
from pruneexp.studies.prediction.ranking import TRIPLET, cells
from pruneexp.studies.prediction.regression import min_max

FEATURES = [*METRICS, "layer_density"]
Learner = Literal["forest", "ridge", "prior"]
Left = Literal["cell", "model"]


def learned(frame: pd.DataFrame, learner: Learner = "forest", left_out: Left = "cell", trees: int = 300) -> pd.Series:
    """A predicted place for every network, lower is better, by a model that has seen nothing of its (model, sparsity).

    Args:
        left_out: ``model`` hides the ranked network's whole model, at every sparsity.
        trees: of the forest, which is seeded.

    Returns:
        float by network, the same for the seeds of a method; NaN where no seed has every metric.

    Raises:
        UserError: an unknown learner or way of leaving out, or a single cell, which leaves nothing to learn from.
    """
    for what, name, choices in (("learner", learner, get_args(Learner)), ("held-out set", left_out, get_args(Left))):
        if name not in choices:
            raise UserError(unknown(what, name, choices))
    means = frame.dropna(subset=FEATURES).groupby([*TRIPLET, "method"])[[*FEATURES, "drop"]].mean().reset_index()
    x, y = features(means), places(means, ["drop"])[:, 0]
    predicted = np.full(len(means), np.nan)
    for of_model, of_sparsity, cell in cells(means):
        seen = ~(cell if left_out == "cell" else of_model)
        if not seen.any():
            raise UserError(
                "nothing is left to learn a ranking from: records of a single (model, sparsity) cell or model."
            )
        if learner == "prior":
            near = seen & (of_model | of_sparsity)
            place = pd.Series(y[near]).groupby(means["method"].to_numpy()[near]).mean()
            predicted[cell] = place.reindex(means["method"][cell]).to_numpy()
        else:
            predicted[cell] = _model(learner, trees).fit(x[seen], y[seen]).predict(x[cell])
    by_network = pd.Series(predicted, index=pd.MultiIndex.from_frame(means[[*TRIPLET, "method"]]))
    return pd.Series(
        by_network.reindex(pd.MultiIndex.from_frame(frame[[*TRIPLET, "method"]])).to_numpy(), index=frame.index
    )


def _model(learner: Learner, trees: int) -> Any:
    if learner == "ridge":
        return Ridge()
    return ExtraTreesRegressor(trees, min_samples_leaf=3, max_features=0.5, random_state=0)


def places(means: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """[n, columns] each row's place among its triplet's methods, ascending, scaled to -1/2 ... 1/2; equal values share one."""
    groups = means.groupby(TRIPLET)
    ranks = groups[columns].rank().to_numpy() - 1
    others = np.maximum(groups["drop"].transform("size").to_numpy() - 1, 1)
    return np.asarray(ranks / others[:, None] - 0.5)


def features(means: pd.DataFrame) -> np.ndarray:
    """[n, 2 * FEATURES + models + 1]: places, scaled values, which model, log density."""
    scaled = np.empty((len(means), len(FEATURES)))
    for of_model in means.groupby("model").indices.values():
        scaled[of_model] = min_max(means[FEATURES].to_numpy(float)[of_model])
    models = pd.get_dummies(means["model"]).to_numpy(float)
    density = np.log(1 - means["sparsity"].to_numpy(float))[:, None]
    return np.hstack([places(means, FEATURES), scaled, models, density])
