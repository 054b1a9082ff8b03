"""What a measure of the masks says of the accuracy beyond how many weights each layer keeps.

Accuracy and measures are averaged over seeds, one point for each (allocation, choice), since seeds of one combination repeat each other;
what seeds differ by is taken off before, so that a combination does not differ from others by the seeds that it lacks.
With s_0 the residual squares of  accuracy = allocation + e  and s_1 those with measures added,

    partial R^2 = (s_0 - s_1) / s_0,    F = ((s_0 - s_1) / k) / (s_1 / (n - allocations - k)),

k the number of measures, and the interval of the partial R^2 is lambda / (lambda + n), lambda by inversion of the noncentral F (Steiger
2004). It is correlation: whatever a choice changes besides the measure has its part in it.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from pruneexp.studies.factorial.shares import inverted
from pruneexp.studies.factorial.variance import ALLOCATION, FACTORS, NOTHING

MEASURES = ("dead_filters", "effective_density", "lambda2_min", "imdb_norm")
ALL = "all of them"


def beyond(cells: pd.DataFrame, measures: Sequence[str] = MEASURES) -> pd.DataFrame:
    """A row for each measure, and one for all of them together.

    Columns: measure, n (combinations that have it), slope (accuracy that one standard deviation of the measure, beside the allocation,
    goes with), partial_r2, low, high, f, p; NaN where the measure says nothing but the allocation, or too few combinations have it.

    Args:
        cells: allocation, choice, value and the measures, a row for each cell.
    """
    alike = cells.assign(**{name: _without_seeds(cells, name) for name in ("value", *measures)})
    means = alike.groupby(FACTORS, sort=False)[["value", *measures]].mean().reset_index()
    rows = [{"measure": name, **_explained(means, [name])} for name in measures]
    return pd.DataFrame([*rows, {"measure": ALL, **_explained(means, list(measures))}])


def _without_seeds(cells: pd.DataFrame, name: str) -> "pd.Series[float]":
    """A column less what its seeds differ by within combinations, by least squares."""
    there = cells.dropna(subset=name)
    combinations = [there[factor] for factor in FACTORS]
    seeds = pd.get_dummies(there["seed"]).astype(float)
    x, y = (part - part.groupby(combinations).transform("mean") for part in (seeds, there[name]))
    effects, *_ = np.linalg.lstsq(x.to_numpy(float), y.to_numpy(float))
    return there[name] - (seeds - seeds.mean()).to_numpy(float) @ effects


def _explained(means: pd.DataFrame, measures: list[str]) -> dict[str, float]:
    means = means.dropna(subset=measures)
    within = means[["value", *measures]]
    within = within - within.groupby(means[ALLOCATION]).transform("mean")  # what the allocation leaves
    size, told = len(means), (means[measures] ** 2).sum()
    varying = [name for name in measures if (within[name] ** 2).sum() > NOTHING * told[name]]
    x, y = (within[varying] / means[varying].std()).to_numpy(float), within["value"].to_numpy(float)
    slopes, _, rank, _ = np.linalg.lstsq(x, y)
    k, freedom = int(rank), size - means[ALLOCATION].nunique() - int(rank)
    if k == 0 or freedom < 1:
        return {"n": size, **dict.fromkeys(("slope", "partial_r2", "low", "high", "f", "p"), math.nan)}
    left, squares = y @ y, ((y - x @ slopes) ** 2).sum()
    f = float((left - squares) / k / (squares / freedom))
    low, high = (end / (end + size) for end in inverted(f, k, freedom))
    found = {"n": size, "slope": float(slopes[0]) if len(measures) == 1 else math.nan, "partial_r2": 1 - squares / left}
    return {**found, "low": low, "high": high, "f": f, "p": float(stats.f.sf(f, k, freedom))}
