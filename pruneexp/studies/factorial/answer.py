"""The answer in sentences, made of the numbers."""

import pandas as pd

from pruneexp.studies.factorial.power import LEVEL, smallest
from pruneexp.studies.factorial.variance import ALLOCATION, CHOICE, FACTORS, INTERACTION, Variance

HOW_MANY, WHICH = "how many weights each layer keeps", "which of them it keeps"


def answer(shares: pd.DataFrame, p: "pd.Series[float]", of: str) -> str:
    """Two sentences: which share is larger, and whether the choice's worth depends on the allocation.

    Args:
        shares: by effect `share`, `share_low`, `share_high`.
        p: by effect, against its interaction with the seeds.
        of: what was trained.
    """
    return f"{_larger(shares, p, of)} {_together(shares, p)}"


def order(shares: pd.DataFrame) -> str:
    """Which of the two shares is said to be larger: ``allocation`` or ``choice``; ``neither`` where their intervals overlap."""
    one, other = shares["share"].loc[FACTORS].sort_values(ascending=False).index
    return str(one) if shares["share_low"][one] > shares["share_high"][other] else "neither"


def _larger(shares: pd.DataFrame, p: "pd.Series[float]", of: str) -> str:
    sizes = (
        f"{HOW_MANY} has {_share(shares, ALLOCATION)} of the variance of accuracy, and {WHICH} {_share(shares, CHOICE)}"
    )
    if (p[FACTORS] >= LEVEL).all():
        verdict = "neither can be told from nothing"
    elif (first := order(shares)) == "neither":
        larger = HOW_MANY if shares["share"][ALLOCATION] > shares["share"][CHOICE] else WHICH
        verdict = f"{larger} has the larger share, but the intervals overlap, so which matters more cannot be said"
    else:
        verdict = f"{HOW_MANY if first == ALLOCATION else WHICH} matters more, and the intervals do not overlap"
    return f"Of {of}, for these levels, {sizes}: {verdict}."


def _together(shares: pd.DataFrame, p: "pd.Series[float]") -> str:
    if INTERACTION not in shares.index:
        return "Of their interaction the cells that are there say nothing."
    depends = "depends" if p[INTERACTION] < LEVEL else "was not seen to depend"
    return (
        f"Their interaction has {_share(shares, INTERACTION)} (p = {p[INTERACTION]:.2g}): what a choice is worth {depends} on the"
        " allocation."
    )


def rest(shares: pd.DataFrame, p: "pd.Series[float]", combination: tuple[str, str]) -> str:
    """What is left of the interaction without the combination that the two effects fit least.

    Args:
        shares: of the other cells.
        p: of the other cells.
        combination: its allocation and choice.
    """
    if INTERACTION not in shares.index:
        return ""
    return (
        f"Without {' x '.join(combination)}, the combination that the two effects fit least, the interaction has"
        f" {_share(shares, INTERACTION)} (p = {p[INTERACTION]:.2g}): it is"
        f" {'not of that one alone' if p[INTERACTION] < LEVEL else 'mostly of that one, as far as these cells tell'}."
    )


def _share(shares: pd.DataFrame, effect: str) -> str:
    share, low, high = (100 * shares[name][effect] for name in ("share", "share_low", "share_high"))
    return f"{share:.1f} % [{low:.1f}, {high:.1f}]"


def unseen(found: Variance, cells: pd.DataFrame) -> str:
    """What so few seeds could not have seen.

    Args:
        found: the analysis of the accuracies.
        cells: that it is of.
    """
    groups = cells.groupby(FACTORS).size()
    n = groups.mean()
    two = smallest(found.residual, found.freedom, n)
    levels = {
        name: smallest(found.errors["ms"][name], found.errors["df"][name], len(cells) / cells[name].nunique())
        for name in FACTORS
    }
    return (
        f"With {n:.3g} seeds and a residual deviation of {found.residual**0.5:.2f} points, a true difference is found in four of five"
        f" experiments (t-test at 5 %, uncorrected) from {two:.2f} points on between two combinations,"
        f" {levels[ALLOCATION]:.2f} between two allocations and {levels[CHOICE]:.2f} between two choices; a smaller one could well have"
        " been missed."
    )
