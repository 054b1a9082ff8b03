"""Figures as tables have them: never more digits than the interval supports."""

import math
from collections.abc import Sequence

import pandas as pd


def number(value: float, digits: int) -> str:
    """With so many decimals; nothing for NaN."""
    return "" if pd.isna(value) else f"{value:.{digits}f}"


def percent(share: float) -> str:
    """A share of 1 in percent, three digits of it."""
    return "" if pd.isna(share) else f"{100 * share:.3g} %"


def mean_of(values: Sequence[float], half: float, least: float = -math.inf, most: float = math.inf) -> str:
    """The mean of seeds with its interval, ``77.4 ± 2.4``, or ``98.9 [97.1, 100.0]`` where a bound cuts it.

    The interval has two digits and the mean as many decimals, two at most. Where there is no interval, of one seed or two, their own
    values stand there.

    Args:
        values: the seeds'.
        half: width of the interval on either side; NaN where there is none.
        least, most: bounds that no value can pass.
    """
    if math.isnan(half):
        return ", ".join(f"{value:.2f}" for value in values)
    mean, digits = math.fsum(values) / len(values), decimals(half)
    if least <= mean - half and mean + half <= most:
        return f"{mean:.{digits}f} ± {half:.{digits}f}"
    return f"{mean:.{digits}f} [{max(least, mean - half):.{digits}f}, {min(most, mean + half):.{digits}f}]"


def mean_of_pairs(values: Sequence[float], half: float, pairs: int, n: int) -> str:
    """The mean of differences seed by seed with its interval; how many pairs that is of, where it is not all n seeds."""
    few = f" ({pairs} pair{'' if pairs == 1 else 's'})" if 0 < pairs != n else ""
    return mean_of(values, half) + few


def decimals(half: float) -> int:
    """How many decimals an interval's two leading digits are, two at most."""
    magnitude = int(f"{half:.1e}".partition("e")[2])  # of the rounded one: 0.996 is 1.0
    return 2 if half <= 0 else min(2, max(0, 1 - magnitude))
