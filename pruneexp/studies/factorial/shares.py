"""Omega squared: the share of the variance that an effect has, with its 95 % interval.

Of N cells, s_k^2 the mean square of the interaction of an effect k with the seeds, the effect, of SS_k and df_k, adds

    V_k = (SS_k - df_k s_k^2) / N,    omega^2_k = V_k / (V_allocation + V_choice + V_interaction + s^2),

V_k unbiased for the mean square of the effect over the cells, so that it can be negative, and is shown as it is; s^2 is the mean square
of the residual; what seeds differ by is in none of the parts (Hays, Statistics, 1963; Olejnik and Algina, Psychological Methods 8(4),
2003). Its partial form is beside its own error alone, V_k / (V_k + s_k^2). Both are of these levels, not of others that might have been
chosen.

With lambda_k = N V_k / sigma_k^2, F_k, against the interaction with the seeds, is noncentral F with noncentrality lambda_k (Steiger,
Psychological Methods 9(2), 2004), and its inversion gives the exact interval of the partial form, lambda / (lambda + N). The share is of
several variances: the errors' sigma_k^2, whose mean by degrees of freedom is sigma^2, and the places of the effects in their
distributions are drawn (a generalised confidence interval, Weerahandi, JASA 88, 1993). Each lambda by itself then has the quantiles of
the inverted noncentral F. With three seeds a bootstrap over seeds would have ten different samples.
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
    own = found.errors.loc[effects.index]
    parts = (effects["ss"] - effects["df"] * own["ms"]) / cells
    table = pd.DataFrame({"share": parts / (parts.sum() + found.residual)})
    lambdas, variances = drawn(found, draws)
    of_effects = lambdas * variances[found.errors.index.get_indexer(effects.index)] / cells
    residual = np.average(variances, axis=0, weights=found.errors["df"])
    table["share_low"], table["share_high"] = np.quantile(
        of_effects / (of_effects.sum(axis=0) + residual), TAILS, axis=1
    )
    table["partial"] = parts / (parts + own["ms"])
    ends = [inverted(*numbers) for numbers in zip(effects["f_seeds"], effects["df"], own["df"], strict=True)]
    for name, end in zip(("partial_low", "partial_high"), np.transpose(ends), strict=True):
        table[name] = end / (end + cells)
    return table


def drawn(found: Variance, draws: int = DRAWS) -> tuple[Floats, Floats]:
    """Draws of the effects' noncentralities [effects, draws] and of the errors' variances [errors, draws]."""
    rng = np.random.default_rng(0)

    def places() -> Floats:  # one in each of as many equal parts of 0 ... 1
        return (rng.permutation(draws) + rng.uniform(size=draws)) / draws

    errors = zip(found.errors["ms"], found.errors["df"], strict=True)
    variances = np.array([ms * df / stats.chi2.ppf(places(), df) for ms, df in errors])
    own = variances[found.errors.index.get_indexer(found.effects.index)]
    effects = zip(found.effects["ss"], found.effects["df"], own, strict=True)
    lambdas = np.array([special.chndtrinc(ss / variance, df, places()) for ss, df, variance in effects])
    return np.where(lambdas > NOTHING, lambdas, 0.0), variances  # its search ends above 0


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
