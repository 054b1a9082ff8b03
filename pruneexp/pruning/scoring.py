"""Scores of a network's weights, checked."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from pruneexp.data.batches import Batches
from pruneexp.errors import UserError
from pruneexp.network.prunable import prunable
from pruneexp.pruning.method import Scorer, Scores
from pruneexp.pruning.target import Target
from pruneexp.seeding import stream


@dataclass(frozen=True)
class Scored:
    """Scores by weight name, and the seconds that they took."""

    scores: Scores
    seconds: float = 0.0


def score(
    model: nn.Module,
    scorer: Scorer,
    batches: Batches,
    seed: int,
    part: int = 1,
    names: Collection[str] | None = None,
) -> Scores:
    """The scorer's scores, checked, in the model's order.

    Args:
        part: number of the round; each has a random stream of its own.
        names: of the weights that must have scores; all unless given, and others then have zeros where the scorer gives none.

    Raises:
        UserError: a score is missing, misshapen or not finite, or all are zero (which only later rounds, in which a
            network can already have fallen apart, may meet).
    """
    weights = prunable(model)
    scores = scorer(model, batches, stream(seed, "scorer", *([part] if part > 1 else [])))
    if not isinstance(scores, Mapping):
        raise UserError(f"the scorer must give a dict of scores by weight name, got {type(scores).__name__}.")
    scores = dict(scores) if names is None else unscored(model) | scores
    for name, weight in weights.items():
        found = scores.get(name)
        if not isinstance(found, torch.Tensor) or found.shape != weight.shape or found.is_complex():
            raise UserError(f"the scorer gave no score of shape {list(weight.shape)} for {name}.")
        if not bool(torch.isfinite(found).all()):
            raise UserError(
                f"the scores of {name} are not finite: weights or data are not, or outputs or gradients overflow."
            )
    scores = {name: scores[name].detach() for name in weights}
    if part == 1 and not any(bool(values.any()) for values in scores.values()):
        raise UserError("all scores are zero, so that nothing tells one weight from another: use another scorer.")
    return scores


def unscored(model: nn.Module) -> Scores:
    """Zeros, for maskers that look at no score."""
    return {name: torch.zeros_like(weight) for name, weight in prunable(model).items()}


def timed(
    model: nn.Module,
    scorer: Scorer | None,
    batches: Batches,
    seed: int,
    part: int = 1,
    names: Collection[str] | None = None,
) -> Scored:
    """What `score` gives, and the seconds that it took; zeros without a scorer."""
    begin = time.perf_counter()
    if scorer is None:
        return Scored(unscored(model))
    return Scored(score(model, scorer, batches, seed, part, names), time.perf_counter() - begin)


def all_zero(scorer: Scorer | None, scored: Scored, target: Target) -> tuple[str, ...]:
    """The weights to be pruned to which a scorer gives nothing but zeros."""
    if scorer is None:
        return ()
    return tuple(name for name, value in scored.scores.items() if target.includes(name) and not value.any())
