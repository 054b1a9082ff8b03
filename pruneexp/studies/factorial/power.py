"""The smallest difference that an experiment of so many cells could have seen."""

import math

from scipy import optimize, stats

LEVEL, POWER = 0.05, 0.8


def smallest(residual: float, freedom: int, cells: float) -> float:
    """The difference of two means that a two-sided t-test at the 5 % level, uncorrected, finds in four of five experiments.

    It is delta sqrt(2 s^2 / n), where Student's noncentral t with noncentrality delta lies beyond t(0.975) with probability 0.8
    (Montgomery, Design and Analysis of Experiments, section 2.4). Its square is noncentral F with noncentrality delta^2, which scipy
    has without the gaps of its noncentral t: NaN far beyond t(0.975) for some degrees of freedom.

    Args:
        residual: s^2, the residual's mean square.
        freedom: its degrees of freedom, at least 1.
        cells: n, that each of the means is of.
    """
    bound = float(stats.t.isf(LEVEL / 2, freedom))

    def lacking(delta: float) -> float:
        return float(stats.ncf.sf(bound**2, 1, freedom, delta**2)) - POWER

    delta = optimize.brentq(lacking, 0.0, 4 * bound)
    return float(delta) * math.sqrt(2 * residual / cells)
