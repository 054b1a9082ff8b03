"""Methods that were run on the same seeds, compared with one of them by a linear model of method and seed."""

import gc
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
NOTHING = 1e-9  # percent: a difference that only rounding makes


@dataclass(frozen=True)
class Comparison:
    """Of each method but the first, in their order.

    Attributes:
        differences: what the first has more, by least squares.
        halves: of their 95 % intervals, by the pooled residual; each for itself, uncorrected.
        p: two-sided, Holm-corrected over all pairs of the methods.
        alone: the same, uncorrected: for a family of comparisons that was fixed beforehand.
    """

    differences: Floats
    halves: Floats
    p: Floats
    alone: Floats


def with_the_first(accuracies: Floats) -> Comparison:
    """Compare the first method with each other one.

    The model is  y_sm = seed_s + method_m + e_sm,  e_sm independent, normal and of one variance in all methods: the analysis of
    variance of randomised complete blocks (Montgomery, Design and Analysis of Experiments, section 4.1), fitted by least squares to the
    cells that are there. With the seeds eliminated its normal equations are  L method = b,  L the Laplacian of the graph of methods in
    which each seed joins any two of its k methods by an edge 1/k; grounded at the first,  Var(method_m) = sigma^2 (L^-1)_mm. sigma^2 is
    the residual sum of squares over  cells - seeds - methods + 1  degrees of freedom, in complete blocks (seeds - 1)(methods - 1); of two
    methods this is the paired t-test. The p values are corrected by Holm's procedure (1979) for all pairs of methods, since any of them
    could have been the first. Where nothing is left of the residual, any difference is certain, and none has p = 1.

    Args:
        accuracies: [seeds, methods], NaN where a cell is missing; every other method shares at least two seeds with the first.
    """
    found = accuracies[~np.isnan(accuracies).all(axis=1)]
    there = ~np.isnan(found)
    share = there / there.sum(axis=1, keepdims=True)
    within = np.where(there, found - np.nanmean(found, axis=1, keepdims=True), 0.0)
    laplacian = np.diag(there.sum(axis=0).astype(float)) - there.T @ share
    inverse = np.linalg.inv(laplacian[1:, 1:])
    effects = np.concatenate([[0.0], inverse @ within.sum(axis=0)[1:]])
    residual = np.where(there, within - effects + (share @ effects)[:, None], 0.0)
    freedom = int(there.sum()) - len(there) - len(effects) + 1
    one, other = np.triu_indices(len(effects), 1)  # those with the first come first
    covariance = np.pad(inverse, ((1, 0), (1, 0)))
    spread = covariance.diagonal()[one] + covariance.diagonal()[other] - 2 * covariance[one, other]
    errors = np.sqrt((residual**2).sum() / freedom * spread)
    differences = effects[one] - effects[other]
    differences[np.abs(differences) < NOTHING] = 0
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(differences == 0, 0.0, np.abs(differences) / errors)
    alone, count = 2 * special.stdtr(freedom, -t), len(effects) - 1
    halves = special.stdtrit(freedom, 0.975) * errors
    return Comparison(differences[:count], halves[:count], holm(alone)[:count], alone[:count])


def holm(p: Floats) -> Floats:
    """p values [m] corrected for their number: the k-th smallest times m - k + 1, and no less than the one before it, at most 1."""
    from statsmodels.stats.multitest import multipletests  # half a second, in reports that compare something

    gc.freeze()  # it collects garbage each time: what a report is made of is none, and would take a tenth of a second to look through
    try:
        return np.asarray(multipletests(p, method="holm")[1])
    finally:
        gc.unfreeze()
