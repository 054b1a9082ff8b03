"""The combination that two effects fit least: whether an interaction is of many combinations or of one."""

import pandas as pd

from pruneexp.studies.factorial.variance import FACTORS, deviations


def least_fitting(cells: pd.DataFrame) -> tuple[str, str]:
    """The allocation and the choice whose mean deviation from y_acs = mean + seed_s + allocation_a + choice_c, by least squares of the
    cells that are there, is the largest in size; of equal ones the first.

    Args:
        cells: columns allocation, choice, seed and value, a row for each cell, none of them missing.
    """
    factors = [cells[name] for name in FACTORS]
    residual, _ = deviations(cells, *factors)
    means = residual.groupby(factors, sort=False).mean().abs().round(9)
    allocation, choice = means.index[int(means.to_numpy().argmax())]
    return str(allocation), str(choice)
