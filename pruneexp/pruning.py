"""Score, mask, in turns if asked, each treated as asked: how a network gets its masks."""

import copy
import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import nn

from pruneexp.components.component import Component
from pruneexp.data.batches import Batches
from pruneexp.errors import UserError
from pruneexp.jobs.setting import Setting
from pruneexp.maskers.greedy import greedy
from pruneexp.maskers.layer import Layer, Layers, Notes, kept_count
from pruneexp.network.masks import Masks, apply_masks, everything
from pruneexp.network.prunable import prunable
from pruneexp.network.structure import Structure
from pruneexp.seeding import stream
from pruneexp.treatments.treat import asked_for, treat

Scores = dict[str, torch.Tensor]


class Scorer(Protocol):
    """(model, batches, generator) -> {weight name: score shaped like the weight}; leaves the model as it found it."""

    def __call__(self, model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores: ...


class Masker(Protocol):
    """(layers, density, generator, notes) -> {weight name: bool mask} with round(density * N) True, or the number of a rule of its own."""

    def __call__(self, layers: Sequence[Layer], density: float, generator: torch.Generator, notes: Notes) -> Masks: ...


@dataclass(frozen=True)
class Scored:
    """Scores by weight name, and the seconds that they took."""

    scores: Scores
    seconds: float = 0.0


@dataclass
class Pruned:
    """Masks by weight name, what the masker reported of them, the last scores, and the seconds that scoring and masking took."""

    masks: Masks
    notes: Notes = field(default_factory=dict)
    scores: Scores = field(default_factory=dict)
    scoring: float = 0.0
    masking: float = 0.0


@dataclass(frozen=True)
class Method:
    """How a network is pruned.

    Attributes:
        scorer: its scores are treated already; None where the masker looks at no score.
        masker: chooses from the scores.
        treatments: by name; those of masks come after the masker.
        rounds: how often scorer and masker take turns.
        round_masker: as for `in_rounds`.
        round_counts: as for `in_rounds`.
    """

    scorer: Scorer | None
    masker: Masker
    treatments: Mapping[str, Component]
    rounds: int = 1
    round_masker: str = "masker"
    round_counts: str = "nearest"

    @staticmethod
    def of(setting: Setting, seed: int) -> "Method":
        """A configuration's, with its treatments of scores around its scorer."""
        scorer = _treated(setting.make("scorer"), setting.treatments, seed) if setting.needs_scores else None
        options = setting.options
        turns = (setting.rounds, options.round_masker, options.round_counts)
        return Method(scorer, setting.make("masker"), setting.treatments, *turns)


def _treated(scorer: Scorer, treatments: Mapping[str, Component], seed: int) -> Scorer:
    def treated(model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores:
        scores: Scores = treat("scores", scorer(model, batches, generator), treatments, seed)
        return scores

    return treated


def score(model: nn.Module, scorer: Scorer, batches: Batches, seed: int, part: int = 1) -> Scores:
    """The scorer's scores, checked.

    Args:
        part: number of the round; each has a random stream of its own.

    Raises:
        UserError: a score is missing, misshapen or not finite, or all are zero (which only later rounds, in which a
            network can already have fallen apart, may meet).
    """
    weights = prunable(model)
    scores = scorer(model, batches, stream(seed, "scorer", *([part] if part > 1 else [])))
    for name, weight in weights.items():
        if name not in scores or scores[name].shape != weight.shape:
            raise UserError(f"the scorer gave no score of shape {list(weight.shape)} for {name}.")
        if not bool(torch.isfinite(scores[name]).all()):
            raise UserError(f"the scores of {name} are not finite: the network's outputs or gradients overflow.")
    if part == 1 and not any(bool(values.any()) for values in scores.values()):
        raise UserError("all scores are zero, so that nothing tells one weight from another: use another scorer.")
    return scores


def unscored(model: nn.Module) -> Scores:
    """Zeros, for maskers that look at no score."""
    return {name: torch.zeros_like(weight) for name, weight in prunable(model).items()}


def mask(
    scores: Scores,
    masker: Masker,
    density: float,
    seed: int,
    notes: Notes,
    model: nn.Module | None = None,
    previous: Masks | None = None,
    part: int = 0,
    structure: Structure | None = None,
) -> Masks:
    """The masker's masks at one density, checked to be complete; ``density=1`` keeps everything.

    Args:
        scores: by weight name.
        density: kept / prunable weights, of the whole network also in a later round.
        seed: the masker's random stream is (seed, "masker", density), and `part` in later rounds.
        notes: receives what the masker reports.
        model: the network whose weights are masked, for maskers that look at how its layers join.
        previous: an earlier round's masks; what they pruned stays pruned.
        part: number of the round, 0 for a single one.
        structure: of the network, where it is traced already.

    Raises:
        UserError: density or the masker's options not allowed.
    """
    available = previous or everything(scores)
    layers = [Layer(name, value, available[name].to(value.device)) for name, value in scores.items()]
    if model is not None:
        known = structure or Structure(model)
        layers = Layers(layers, lambda: known.wiring, lambda: known.coupled)
    kept_count(layers, density)
    if density == 1:
        return everything(scores)
    purpose = ("masker", str(density), part) if part else ("masker", str(density))
    masks = masker(layers, density, stream(seed, *purpose), notes)
    for name, value in scores.items():
        if name not in masks or masks[name].shape != value.shape or masks[name].dtype != torch.bool:
            raise UserError(f"the masker gave no bool mask of shape {list(value.shape)} for {name}.")
    return masks


def timed(model: nn.Module, scorer: Scorer | None, batches: Batches, seed: int, part: int = 1) -> Scored:
    """What `score` gives, and the seconds that it took; zeros without a scorer."""
    begin = time.perf_counter()
    if scorer is None:
        return Scored(unscored(model))
    return Scored(score(model, scorer, batches, seed, part), time.perf_counter() - begin)


def pruned(
    method: Method,
    model: nn.Module,
    density: float,
    seed: int,
    batches: Batches,
    scored: Scored | None = None,
    structure: Structure | None = None,
) -> Pruned:
    """The masks of one density: scored, masked, in as many rounds as the method has, treated.

    Args:
        method: how.
        model: to be scored and masked; left as it is.
        density: kept / prunable weights; 1 keeps everything.
        seed: of all random streams.
        batches: what scorers look at, and the shape of the input.
        scored: the scores of a single round where they are there already.
        structure: of the network, where it is traced already.

    Raises:
        UserError: what `score`, `mask` and the treatments raise.
    """
    structure = structure or Structure(model, batches.input_shape)
    if method.rounds > 1 and method.scorer is not None:
        turns = (method.rounds, method.round_masker, method.round_counts)
        found = in_rounds(model, method.scorer, method.masker, density, seed, batches, *turns, structure)
    else:
        scored = scored or timed(model, method.scorer, batches, seed)
        begin, notes = time.perf_counter(), Notes()
        masks = mask(scored.scores, method.masker, density, seed, notes, model, structure=structure)
        found = Pruned(masks, notes, scored.scores, scored.seconds, time.perf_counter() - begin)
    if density == 1:
        return found
    begin, before = time.perf_counter(), found.masks
    offered = {"scores": found.scores, "notes": found.notes}
    if asked_for("wiring", "masks", method.treatments):
        offered["wiring"] = structure.wiring
    found.masks = treat("masks", before, method.treatments, seed, str(density), **offered)
    _check_treated(before, found.masks)
    found.masking += time.perf_counter() - begin
    return found


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
    model: nn.Module,
    scorer: Scorer,
    masker: Masker,
    density: float,
    seed: int,
    batches: Batches,
    rounds: int,
    round_masker: str = "masker",
    round_counts: str = "nearest",
    structure: Structure | None = None,
) -> Pruned:
    """Score and mask in turns: after round k = 1 ... n a share density^(k/n) of the weights is left.

    Each round scores the network as pruned so far; a pruned weight never comes back (Tanaka et al. 2020, Algorithm 1).
    The notes are what the masker reports in the last round.

    Args:
        round_masker: ``masker`` (the masker makes every round's masks) or ``greedy`` (the highest scores of the whole
            network are kept until the last round, whose masks the masker makes).
        round_counts: as for `share_left`.
        structure: of the network, where it is traced already.

    Raises:
        UserError: an option not allowed, or what `score` and `mask` raise.
    """
    if rounds < 1 or round_masker not in ("masker", "greedy"):
        raise UserError(
            f"rounds must be at least 1 and round_masker masker or greedy, got {rounds} and {round_masker!r}."
        )
    structure = structure or Structure(model, batches.input_shape)
    so_far, found, begin = copy.deepcopy(model), Pruned({}), time.perf_counter()
    total = sum(weight.numel() for weight in prunable(model).values())
    for k in range(1, rounds + 1):
        chooser = masker if round_masker == "masker" or k == rounds else functools.partial(greedy, scope="global")
        scored, notes = timed(so_far, scorer, batches, seed, part=k), Notes()
        share = share_left(density, k, rounds, total, round_counts)
        previous = found.masks or None
        masks = mask(scored.scores, chooser, share, seed, notes, model, previous, part=k, structure=structure)
        apply_masks(so_far, masks)
        found = Pruned(masks, notes, scored.scores, found.scoring + scored.seconds)
    found.masking = time.perf_counter() - begin - found.scoring
    return found


def _check_treated(before: Masks, after: Masks) -> None:
    for name, mask in before.items():
        if name not in after or after[name].shape != mask.shape or after[name].dtype != torch.bool:
            raise UserError(f"a treatment gave no bool mask of shape {list(mask.shape)} for {name}.")
