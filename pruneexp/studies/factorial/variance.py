"""Two-way analysis of variance of cells that share their seeds.

    y_acs = mean + seed_s + allocation_a + choice_c + (allocation x choice)_ac + e_acs,

the levels are fixed, and the seeds, which share initial weights and the order of the images, are blocks (Montgomery, Design and Analysis
of Experiments, section 5.6). Sums of squares are of type II: what each effect adds to all that do not contain it, by least squares of the
cells that are there. Of a whole factorial they are the sums of the squared deviations.

An effect is tested twice: against the residual, as if the e were independent, and against its own interaction with the seeds, a part of
the residual. All choices of one seed and allocation share how many weights each layer keeps, as the plots of a split-plot design share
their field (section 14.4): what an allocation happens to be worth with a seed is in all of them, which the residual, made of all cells,
would take for so many proofs.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from pruneexp.errors import UserError

ALLOCATION, CHOICE, INTERACTION = "allocation", "choice", "interaction"
FACTORS = [ALLOCATION, CHOICE]
EFFECTS = [*FACTORS, INTERACTION]
NOTHING = 1e-12  # of the squares: what rounding leaves of a residual


@dataclass(frozen=True)
class Variance:
    """An analysis of variance.

    Attributes:
        effects: a row for each of `EFFECTS` that can be told: its sum of squares `ss`, its degrees of freedom `df`, `f` and `p` against
            the residual, `f_seeds` and `p_seeds` against its interaction with the seeds.
        errors: a row for each of `EFFECTS` whose interaction with the seeds can be told: its mean square `ms`, degrees of freedom `df`.
        residual: mean square of the residual, of all these interactions together.
        freedom: degrees of freedom of the residual.
        cells: how many there are.
    """

    effects: pd.DataFrame
    errors: pd.DataFrame
    residual: float
    freedom: int
    cells: int


def analysed(cells: pd.DataFrame) -> Variance:
    """The analysis of variance of the cells.

    Without any cell of some combination the interaction is that of the others; where none of it is left, it is not told.

    Args:
        cells: columns allocation, choice, seed and value, a row for each cell, none of them missing.

    Raises:
        UserError: cells are too few, or do not tell the levels of a factor apart, or effects do not differ between seeds.
    """
    if any(cells[name].nunique() < 2 for name in FACTORS):
        raise UserError("an analysis of variance needs cells of two allocations and two choices at least.")
    together = cells[ALLOCATION].astype(str) + " " + cells[CHOICE].astype(str)
    squares, freedom = _left(cells, together)
    total = float(((cells["value"] - cells["value"].mean()) ** 2).sum())
    if freedom < 1 or squares <= NOTHING * total:
        raise UserError(
            f"{len(cells)} cells of {cells['seed'].nunique()} seeds leave no residual to compare effects with: run two seeds at least."
        )
    both = _left(cells, cells[ALLOCATION], cells[CHOICE])
    without = {ALLOCATION: CHOICE, CHOICE: ALLOCATION}
    rows = {name: _beyond(_left(cells, cells[other]), both) for name, other in without.items()}
    for name in FACTORS:
        if rows[name][1] < cells[name].nunique() - 1:
            raise UserError(f"the cells that are there do not tell the levels of {name} apart: run the missing ones.")
    rows[INTERACTION] = _beyond(both, (squares, freedom))
    effects = pd.DataFrame.from_dict(rows, orient="index", columns=["ss", "df"])
    effects = effects[effects["df"] > 0]
    errors = _between_seeds(cells, together)
    for name in effects.index:
        if name not in errors.index or errors["ms"][name] <= NOTHING * total:
            raise UserError(
                f"the cells that are there do not tell how the effect of {name} differs between seeds: run the missing ones."
            )
    residual, own = squares / freedom, errors.loc[effects.index]
    for end, error, df in (("", residual, freedom), ("_seeds", own["ms"], own["df"])):
        effects[f"f{end}"] = effects["ss"] / effects["df"] / error
        effects[f"p{end}"] = stats.f.sf(effects[f"f{end}"], effects["df"], df)
    return Variance(effects, errors, residual, freedom, len(cells))


def _between_seeds(cells: pd.DataFrame, together: "pd.Series[str]") -> pd.DataFrame:
    """The interactions of the effects with the seeds: mean squares `ms` and degrees of freedom `df`."""
    with_a, with_c = (cells["seed"].astype(str) + " " + cells[name].astype(str) for name in FACTORS)
    both = _left(cells, together, with_a, with_c)
    rows = {
        ALLOCATION: _beyond(_left(cells, together, with_c), both),
        CHOICE: _beyond(_left(cells, together, with_a), both),
        INTERACTION: both,
    }
    found = pd.DataFrame.from_dict(rows, orient="index", columns=["ms", "df"])
    found = found[found["df"] > 0]
    return found.assign(ms=found["ms"] / found["df"])


def deviations(cells: pd.DataFrame, *factors: "pd.Series[str]") -> tuple["pd.Series[float]", int]:
    """What seeds and these factors leave of each value, by least squares, and its degrees of freedom.

    Args:
        cells: columns seed and value.
        factors: the level of each cell.
    """
    named = [factor.to_numpy(str) for factor in (cells["seed"], *factors)]
    x = np.vstack([(np.unique(levels)[:, None] == levels).astype(float) for levels in named]).T
    y = cells["value"].to_numpy(float)
    y = y - y.mean()
    coefficients, _, rank, _ = np.linalg.lstsq(x, y)
    return pd.Series(y - x @ coefficients, cells.index), len(y) - int(rank)


def _left(cells: pd.DataFrame, *factors: "pd.Series[str]") -> tuple[float, int]:
    """What seeds and these factors leave of the values: the residual's sum of squares, and its degrees of freedom."""
    residual, freedom = deviations(cells, *factors)
    return float((residual.to_numpy() ** 2).sum()), freedom


def _beyond(fewer: tuple[float, int], more: tuple[float, int]) -> tuple[float, int]:
    return max(fewer[0] - more[0], 0.0), fewer[1] - more[1]
