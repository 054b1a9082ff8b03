"""Cells of factorials with known effects."""

import itertools

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def made(means: Floats, seeds: Floats, deviation: float, rng: np.random.Generator) -> pd.DataFrame:
    """A cell of each combination and seed: its mean, what the seed adds, and noise.

    Args:
        means: [allocations, choices].
        seeds: [seeds].
        deviation: of the noise.
        rng: that it comes from.
    """
    numbers = itertools.product(*map(range, (*means.shape, len(seeds))))
    rows = [(f"a{a}", f"c{c}", s, means[a, c] + seeds[s] + deviation * rng.normal()) for a, c, s in numbers]
    return pd.DataFrame(rows, columns=["allocation", "choice", "seed", "value"])


def effects(
    allocations: list[float], choices: list[float], between: float = 0.0
) -> tuple[Floats, tuple[float, float, float]]:
    """Means of combinations, each effect centred, and the three effects' mean squares.

    Args:
        allocations: what each adds.
        choices: what each adds.
        between: size of an interaction of alternating signs, for even numbers of both.
    """
    a, c = (np.array(levels) - np.mean(levels) for levels in (allocations, choices))
    signs = between * np.outer((-1.0) ** np.arange(len(a)), (-1.0) ** np.arange(len(c)))
    signs -= signs.mean(axis=0)
    signs -= signs.mean(axis=1, keepdims=True)
    squares = float((a**2).mean()), float((c**2).mean()), float((signs**2).mean())
    return 60 + a[:, None] + c + signs, squares
