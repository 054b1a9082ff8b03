"""Omega squared: the share of the variance that an effect has, with its 95 % interval.

Of N cells, s^2 the mean square of the residual, an effect k with SS_k and df_k adds

    V_k = (SS_k - df_k s^2) / N,    omega^2_k = V_k / (V_allocation + V_choice + V_interaction + s^2),

V_k unbiased for the mean square of the effect over the cells, so that it can be negative, and is shown as it is; what seeds differ by
is in none of the parts (Hays, Statistics, 1963; Olejnik and Algina, Psychological Methods 8(4), 2003). Its partial form is beside the
residual alone, V_k / (V_k + s^2). Both are of these levels, not of others that might have been chosen.

With lambda_k = N V_k / sigma^2, F_k is noncentral F with noncentrality lambda_k (Steiger, Psychological Methods 9(2), 2004), and its
inversion gives the exact interval of the partial form, lambda / (lambda + N). The share of the whole is
lambda_k / (lambda_allocation + lambda_choice + lambda_interaction + N), whose parts share sigma^2: the three are inverted together,
sigma^2 and the places in their distributions drawn (a generalised confidence interval, Weerahandi, JASA 88, 1993). Each lambda by itself
then has the quantiles of the inverted noncentral F. With three seeds a bootstrap over seeds would have ten different samples.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, special, stats

from pruneexp.studies.factorial.variance import NOTHING, Variance

Floats = NDArray[np.float64]
TAILS = (0.025, 0.975)
DRAWS = 4000


def shares(found: Variance, draws: int = DRAWS) -> pd.DataFrame:
    """By effect `share`, `share_low`, `share_high` (omega squared and its interval), `partial`, `partial_low` and `partial_high`."""
    effects, cells = found.effects, found.cells
    parts = (effects["ss"] - effects["df"] * found.residual) / cells
    table = pd.DataFrame({"share": parts / (parts.sum() + found.residual)})
    drawn = noncentralities(found, draws)
    table["share_low"], table["share_high"] = np.quantile(drawn / (drawn.sum(axis=0) + cells), TAILS, axis=1)
    table["partial"] = parts / (parts + found.residual)
    ends = [inverted(f, df, found.freedom) for f, df in zip(effects["f"], effects["df"], strict=True)]
    for name, end in zip(("partial_low", "partial_high"), np.transpose(ends), strict=True):
        table[name] = end / (end + cells)
    return table


def noncentralities(found: Variance, draws: int = DRAWS) -> Floats:
    """Draws [effects, draws] of the effects' noncentralities, with one residual variance in each draw."""
    rng = np.random.default_rng(0)

    def places() -> Floats:  # one in each of as many equal parts of 0 ... 1
        return (rng.permutation(draws) + rng.uniform(size=draws)) / draws

    precisions = stats.chi2.ppf(places(), found.freedom) / (found.freedom * found.residual)  # 1 / sigma^2
    pairs = zip(found.effects["ss"], found.effects["df"], strict=True)
    drawn = np.array([special.chndtrinc(ss * precisions, df, places()) for ss, df in pairs])
    return np.where(drawn > NOTHING, drawn, 0.0)  # its search ends above 0


def inverted(f: float, df: float, freedom: int) -> tuple[float, float]:
    """The noncentralities for which F is the 97.5th and the 2.5th percentile; 0 where F is below even the central one's."""

    def beyond(tail: float, noncentrality: float) -> float:
        return float(stats.ncf.cdf(f, df, freedom, noncentrality)) - tail

    def end(tail: float) -> float:
        if stats.f.cdf(f, df, freedom) <= tail:
            return 0.0
        most = 10 + df * f
        while beyond(tail, most) > 0:
            most *= 2
        return float(optimize.brentq(lambda value: beyond(tail, value), 0.0, most))

    return end(TAILS[1]), end(TAILS[0])
