"""Which levels of a factor differ: all pairs of their means, by Tukey's honestly significant difference."""

import itertools
import math

import pandas as pd
from scipy import stats

from pruneexp.studies.factorial.variance import FACTORS, Variance


def differences(cells: pd.DataFrame, found: Variance) -> pd.DataFrame:
    """A row for each pair of allocations, and of choices: columns factor, one, other, difference (the mean of `one` less that of
    `other`, over all cells of each), low and high, which hold all true differences of the factor together in 95 % of experiments, and p.

    The interval is d -+ q(0.95; k, v) sqrt(s^2 / m), of k levels with m cells each; s^2, with v degrees of freedom, is the mean square of
    the factor's interaction with the seeds, as for its test (Tukey; Montgomery, Design and Analysis of Experiments, section 3.5.7). With
    two levels it is the interval of the paired t-test of the seeds' means.

    Args:
        cells: columns allocation, choice, seed and value; a cell of each allocation, choice and seed, without which means of levels
            are of different cells: there is no row where one is missing.
        found: the analysis of them.
    """
    rows = []
    whole = math.prod(cells[name].nunique() for name in (*FACTORS, "seed")) == len(cells)
    for factor in FACTORS if whole else []:
        means = cells.groupby(factor, sort=False)["value"].mean()
        k, freedom = len(means), float(found.errors["df"][factor])
        unit = math.sqrt(found.errors["ms"][factor] * k / len(cells))
        half = unit * float(stats.studentized_range.isf(0.05, k, freedom))
        for one, other in itertools.combinations(means.sort_values(ascending=False).index, 2):
            difference = float(means[one] - means[other])
            p = float(stats.studentized_range.sf(difference / unit, k, freedom))
            rows.append((factor, one, other, difference, difference - half, difference + half, p))
    return pd.DataFrame(rows, columns=["factor", "one", "other", "difference", "low", "high", "p"])
