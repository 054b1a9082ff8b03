"""How many weights each level of iterative magnitude pruning leaves (Frankle et al. 2020, Algorithm 2; `pruneexp.levels`)."""

import itertools
import math
from collections.abc import Sequence

from pruneexp.errors import UserError
from pruneexp.layers import Layer, rounded_up

DIGITS = 12  # of a share: 0.512^(2/3) is 0.64, as somebody types it


def count_after(level: int, levels: int, density: float, total: int) -> int:
    """The whole number of weights left after level k of n: density^(k/n) of `total`; after the last round(density * total), as every mask.

    >>> [count_after(level, 3, 0.512, 1000) for level in (1, 2, 3)]
    [800, 640, 512]
    """
    return round((density if level == levels else round(density ** (level / levels), DIGITS)) * total)


def as_typed(count: int, total: int) -> float:
    """The number of the fewest decimals that, as a density, keeps `count` of `total` weights.

    Maskers count the weights of a layer by the density, and draw from a random stream of its own: both follow from the count alone, and
    are those of the density that somebody would type for it.

    >>> as_typed(64000, 100000), as_typed(1, 3)
    (0.64, 0.3)
    """
    decimals = (round(count / total, digits) for digits in range(1, 18))
    return next(share for share in decimals if round(share * total) == count)


def check_levels(density: float, levels: int, layers: Sequence[Layer]) -> None:
    """Raise UserError where a level leaves fewer weights than there are layers, or prunes none.

    Args:
        density: kept / prunable weights, below 1, after the last level.
        levels: how many.
        layers: whose weights are to be pruned.
    """
    total, fewest = sum(layer.size for layer in layers), len(layers)
    asked = f"levels={levels} at density {density:g}"
    counts = (count_after(level, levels, density, total) for level in range(1, levels + 1))
    for level, (before, count) in enumerate(itertools.pairwise(itertools.chain([total], counts)), start=1):
        if count < fewest:
            raise UserError(
                f"{asked} leaves {count} of {total} weights after level {level}, fewer than one for each of the {fewest} layers: use a"
                f" density of at least {rounded_up(fewest / total):g}."
            )
        if count == before:
            most = _most(density, total)
            remedy = f"use levels={most} or fewer" if most else "use a lower density"
            raise UserError(f"{asked} prunes nothing at level {level}, at {count} of {total} weights: {remedy}.")


def _most(density: float, total: int) -> int:
    """The most levels of which each prunes a whole weight; the last prunes the fewest, (density^(-1/n) - 1) * density * total."""
    return math.floor(-math.log(density) / math.log1p(1 / (density * total)))
