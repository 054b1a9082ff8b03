"""Scoring and masking in turns."""

import copy
import functools
import time
from dataclasses import dataclass, field, replace

from pruneexp.data.batches import Batches
from pruneexp.errors import UserError
from pruneexp.layers import Notes
from pruneexp.maskers.greedy import greedy
from pruneexp.network.masks import Masks, apply_masks, everything
from pruneexp.network.prunable import prunable
from pruneexp.pruning.allocating import Counts
from pruneexp.pruning.masking import mask
from pruneexp.pruning.method import Method, Scores
from pruneexp.pruning.scoring import all_zero, timed
from pruneexp.pruning.target import Target


@dataclass
class Pruned:
    """Masks by weight name, what the masker reported of them, the last scores, and the seconds that scoring and masking took.

    Attributes:
        unscored: the weights to be pruned whose scores were all zero at first, such as a layer's that the output does not reach.
    """

    masks: Masks
    notes: Notes = field(default_factory=dict)
    scores: Scores = field(default_factory=dict)
    scoring: float = 0.0
    masking: float = 0.0
    unscored: tuple[str, ...] = ()


def share_left(density: float, k: int, rounds: int, total: int, counts: str = "nearest") -> float:
    """The share of `total` weights that is left after round k of `rounds`: density^(k/rounds), as a whole number of weights.

    Which one decides a good part of the last masks (`pruneexp.studies.rounds`), so that each method counts as its authors do. The last
    round leaves round(density * total), as every mask does.

    Args:
        counts: ``nearest``: the masker's own, round(share * total); ``up``: total - int((1 - share) * total) (the public code of
            Tanaka et al. 2020, Synaptic-Flow, and of Wang et al. 2023, NTK-SAP); ``down``: int(share * total) (that of
            de Jorge et al. 2021, FORCE).

    Raises:
        UserError: counts not allowed.
    """
    if counts not in ("nearest", "up", "down"):
        raise UserError(f"round_counts must be nearest, up or down, got {counts!r}.")
    share = density ** (k / rounds)
    if counts == "nearest" or k == rounds:
        return share
    left = total - int((1 - share) * total) if counts == "up" else int(share * total)
    return max(left, round(density * total)) / total  # rounding down must not leave too few for the last round


def in_rounds(
    method: Method, target: Target, density: float, seed: int, batches: Batches, counts: Counts | None = None
) -> Pruned:
    """Score and mask in turns: after round k = 1 ... n a share density^(k/n) of the weights is left.

    Each round scores the network as pruned so far; a pruned weight never comes back (Tanaka et al. 2020, Algorithm 1).
    The notes are what the masker reports in the last round.

    Args:
        method: a scorer and a masker, the number of their turns, and which masker makes the masks of rounds before the last.
        target: what is pruned; where shares of masks that are on already are smaller than a round's, all that is left stays.
        density: kept / prunable weights, of the target's.
        seed: of all random streams.
        batches: what scorers look at.
        counts: how many weights of each layer stay in a round that the method's own masker makes; None: as that has it.

    Raises:
        UserError: an option not allowed, or what `score` and `mask` raise.
    """
    rounds, round_masker = method.rounds, method.round_masker
    if rounds < 1 or round_masker not in ("masker", "greedy"):
        raise UserError(
            f"rounds must be at least 1 and round_masker masker or greedy, got {rounds} and {round_masker!r}."
        )
    so_far, found, begin = copy.deepcopy(target.model), Pruned(dict(target.previous)), time.perf_counter()
    weights = {name: weight for name, weight in prunable(target.model).items() if target.includes(name)}
    total = sum(weight.numel() for weight in weights.values())
    left = sum(int(mask.sum()) for mask in (everything(weights) | found.masks).values()) / total
    for k in range(1, rounds + 1):
        last = k == rounds
        own = round_masker == "masker" or last
        chooser = method.masker if own else functools.partial(greedy, scope="global")
        scored, notes = timed(so_far, method.scorer, batches, seed, k, target.names), Notes()
        share = share_left(density, k, rounds, total, method.round_counts)
        share = share if last else min(share, left)
        now = replace(target, previous=found.masks)
        masks = mask(now, scored.scores, chooser, share, seed, notes, k, counts if own else None)
        apply_masks(so_far, masks)
        unscored = found.unscored if k > 1 else all_zero(method.scorer, scored, target)
        found = Pruned(masks, notes, scored.scores, found.scoring + scored.seconds, unscored=unscored)
    found.masking = time.perf_counter() - begin - found.scoring
    return found
