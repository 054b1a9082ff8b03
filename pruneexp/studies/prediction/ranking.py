"""Ranking pruning methods before training: rank-biased overlap and the mixture of metrics of Cunegatti et al. (Eq. 5, Tables 4, 11, 12).

For each (dataset, model, sparsity) the methods are ordered by a score and by accuracy, both averaged over seeds; how much the orders
agree is averaged over p = 0.25, 0.5, 0.75 and reported as mean and sample deviation over the data sets.

The mixture's score of network x is  r = sum_i x_i (w_i^model + w_i^sparsity) / 2,  lower is better: x_i metric i min-max scaled over
the networks of its model, w^model and w^sparsity the importance of the metrics among networks of the same model and of the same
sparsity. The paper takes these over all networks (``held_out=False``), those to be ranked included: it has seen their
accuracies. With ``held_out=True`` the networks of the ranked (model, sparsity) are left out of both.

Webber, Moffat & Zobel, A similarity measure for indefinite rankings, ACM TOIS 28(4), 2010.
"""

from collections.abc import Hashable, Iterator, Sequence

import numpy as np
import pandas as pd

from pruneexp.errors import UserError
from pruneexp.studies.prediction.importance import LEAST, How, importance
from pruneexp.studies.prediction.pool import METRICS
from pruneexp.studies.prediction.regression import min_max

PERSISTENCE = (0.25, 0.5, 0.75)
TRIPLET = ["dataset", "model", "sparsity"]


def rank_biased_overlap(a: Sequence[Hashable], b: Sequence[Hashable], p: float) -> float:
    """Agreement of two orders of the same n things, extrapolated: (1 - p) sum_d p^(d-1) o_d / d + p^n o_n / n.

    o_d is how many things the first d places share; 1 for equal orders, lower the nearer to the top they differ.

    >>> round(rank_biased_overlap("ab", "ba", 0.5), 9)
    0.5

    Raises:
        UserError: p outside (0, 1), or orders that are empty, repeat a thing or are not of the same things.
    """
    if not 0 < p < 1:
        raise UserError(f"p of rank-biased overlap must lie between 0 and 1, got {p}.")
    if not a or len(set(a)) != len(a) or set(a) != set(b) or len(a) != len(b):
        raise UserError("rank-biased overlap compares two orders of the same things, each once, at least one.")
    n = len(a)
    place = {thing: position for position, thing in enumerate(b)}
    meeting = np.maximum(np.arange(n), [place[thing] for thing in a])  # where a thing has appeared in both
    agreement = np.cumsum(np.bincount(meeting, minlength=n)) / np.arange(1, n + 1)
    return float((1 - p) * (p ** np.arange(n) * agreement).sum() + p**n * agreement[-1])


def similarity(a: Sequence[Hashable], b: Sequence[Hashable]) -> float:
    """Rank-biased overlap averaged over `PERSISTENCE`."""
    return float(np.mean([rank_biased_overlap(a, b, p) for p in PERSISTENCE]))


def cells(frame: pd.DataFrame) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For each (model, sparsity): bool [n] in the model, of the sparsity, in both."""
    for model, sparsity in frame[["model", "sparsity"]].drop_duplicates().itertuples(index=False):
        of_model, of_sparsity = (frame["model"] == model).to_numpy(), (frame["sparsity"] == sparsity).to_numpy()
        yield of_model, of_sparsity, of_model & of_sparsity


def mixture(frame: pd.DataFrame, how: How = "regressors", held_out: bool = True) -> pd.Series:
    """Eq. 5's coefficient of every network, lower is better; NaN where a metric is missing.

    Held out, a single model leaves no other network of its sparsity, and the weights are the model's alone (likewise the other way).

    Raises:
        UserError: nothing is left of a model or sparsity to take the weights from.
    """
    whole = frame.dropna(subset=list(METRICS))
    x, y = whole[list(METRICS)].to_numpy(float), whole["drop"].to_numpy(float)
    scores = pd.Series(np.nan, index=frame.index)
    for of_model, of_sparsity, cell in cells(whole):
        seen = ~cell if held_out else np.ones_like(cell)
        parts = [part & seen for part in (of_model, of_sparsity)]
        parts = [part for part in parts if part.sum() >= LEAST] or parts
        weights = [importance(x[part], y[part], how) for part in parts]
        scaled = np.zeros_like(x)
        scaled[of_model] = min_max(x[of_model])
        scores[whole.index[cell]] = scaled[cell] @ np.mean(weights, axis=0)
    return scores


def agreement(frame: pd.DataFrame, scores: pd.Series, methods: Sequence[str] | None = None) -> pd.DataFrame:
    """How well `scores` (by network, lower is better) rank the methods: columns model, sparsity, mean, std over data sets, n.

    A method without a defined score comes last, equal scores in alphabetical order. Of each model a row with sparsity "avg"
    averages the means and the deviations. `methods` restricts what is ranked.

    Raises:
        UserError: fewer than two of the methods were trained anywhere.
    """
    chosen = frame.assign(score=scores)
    if methods is not None:
        chosen = chosen[chosen["method"].isin(methods)]
    if chosen["method"].nunique() < 2:
        raise UserError("a ranking needs at least two pruning methods.")
    means = chosen.groupby([*TRIPLET, "method"])[["score", "accuracy"]].mean().round(12).reset_index("method")
    found = []
    for key, part in means.groupby(TRIPLET):
        predicted, true = (
            list(part["method"].iloc[np.argsort(values.to_numpy(), kind="stable")])
            for values in (part["score"], -part["accuracy"])
        )
        if len(true) > 1:
            found.append((*key, similarity(predicted, true)))
    table = pd.DataFrame(found, columns=[*TRIPLET, "overlap"])
    rows = table.groupby(["model", "sparsity"])["overlap"].agg(["mean", "std", "count"]).reset_index()
    rows = rows.rename(columns={"count": "n"}).astype({"sparsity": object})
    average = (
        rows.groupby("model").agg({"mean": "mean", "std": "mean", "n": "sum"}).reset_index().assign(sparsity="avg")
    )
    return pd.concat([rows, average], ignore_index=True)
