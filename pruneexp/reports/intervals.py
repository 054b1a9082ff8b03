"""Student's t intervals of means over seeds."""

import functools
import math

import numpy as np
import pandas as pd
from scipy import special

FEWEST = 3  # seeds that an interval is made of: of two it says next to nothing (t = 12.7)


def interval95(values: "pd.Series[float]") -> float:
    """Half width of the 95 % confidence interval of the mean, t(0.975, n - 1) s / sqrt(n), missing values aside; NaN below `FEWEST`."""
    found = values.to_numpy(dtype=float)
    found = found[~np.isnan(found)]
    n = len(found)
    return float(t95(n) * found.std(ddof=1) / math.sqrt(n)) if n >= FEWEST else math.nan


@functools.cache
def t95(n: int) -> float:
    """The 97.5th percentile of Student's t with n - 1 degrees of freedom."""
    return float(special.stdtrit(n - 1, 0.975))
