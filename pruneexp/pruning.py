"""Score, mask, in turns if asked, each treated as asked: how a network gets its masks."""

import copy
import functools
import time
from collections.abc import Callable, Collection, Mapping, Sequence
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
from pruneexp.network.chosen import chosen_weights
from pruneexp.network.masks import Masks, apply_masks, everything
from pruneexp.network.prunable import as_stored, outputs_first, prunable, turned
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
        only, exclude: which weights are pruned (`pruneexp.network.chosen.chosen_weights`); the others stay, and densities are without them.
    """

    scorer: Scorer | None
    masker: Masker
    treatments: Mapping[str, Component]
    rounds: int = 1
    round_masker: str = "masker"
    round_counts: str = "nearest"
    only: str | Sequence[str] = ()
    exclude: str | Sequence[str] = ()

    @staticmethod
    def of(setting: Setting, seed: int, scorer: Scorer | None = None, masker: Masker | None = None) -> "Method":
        """A configuration's, with its treatments of scores around its scorer; another scorer or masker in place of its own where given."""
        looks = masker is not None or setting.needs_scores
        treated = _treated(scorer or setting.make("scorer"), setting.treatments, seed) if looks else None
        options = setting.options
        turns = (options.rounds if looks else 1, options.round_masker, options.round_counts)
        which = (options.only, options.exclude)
        return Method(treated, masker or setting.make("masker"), setting.treatments, *turns, *which)


def _treated(scorer: Scorer, treatments: Mapping[str, Component], seed: int) -> Scorer:
    def treated(model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores:
        scores: Scores = treat("scores", scorer(model, batches, generator), treatments, seed)
        return scores

    return treated


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
    names: Collection[str] | None = None,
) -> Masks:
    """The masker's masks at one density, checked to be complete; ``density=1`` keeps everything.

    Args:
        scores: by weight name.
        density: kept / prunable weights, of the whole network also in a later round; of `names` where they are given.
        seed: the masker's random stream is (seed, "masker", density), and `part` in later rounds.
        notes: receives what the masker reports.
        model: the network whose weights are masked, for maskers that look at how its layers join, and for weights that are not stored
            with a row for each output: the masker sees them so.
        previous: an earlier round's masks; what they pruned stays pruned.
        part: number of the round, 0 for a single one.
        structure: of the network, where it is traced already.
        names: of the weights to be pruned; all unless given.

    Returns:
        masks of these, and of others where removing neurons prunes them too.

    Raises:
        UserError: density or the masker's options not allowed, or its masks no masks of these weights.
    """
    scored = _turned(outputs_first, model, scores)
    available = everything(scored) | _turned(outputs_first, model, previous or {})
    pruned_ = [name for name in scored if names is None or name in names]
    layers = [Layer(name, scored[name], available[name].to(scored[name].device)) for name in pruned_]
    if model is not None:
        known = structure or Structure(model)
        others = {name: value for name, value in scored.items() if name not in pruned_}
        layers = Layers(layers, lambda: known.wiring, lambda: known.coupled, others)
    kept_count(layers, density)
    if density == 1:
        return everything({name: scores[name] for name in pruned_})
    purpose = ("masker", str(density), part) if part else ("masker", str(density))
    masks = masker(layers, density, stream(seed, *purpose), notes)
    given = masks if isinstance(masks, Mapping) else {}
    _check_masks("masker", {name: value for name, value in scored.items() if name in pruned_ or name in given}, masks)
    _check_revived("masker", {layer.name: layer.available for layer in layers}, masks)
    return _turned(as_stored, model, {name: masks[name].cpu() for name in scored if name in given})


def _turned(
    turn: Callable[[nn.Module, torch.Tensor], torch.Tensor],
    model: nn.Module | None,
    tensors: Mapping[str, torch.Tensor],
) -> dict[str, torch.Tensor]:
    """Tensors by weight name, each turned by `outputs_first` or `as_stored` of its layer; without a model as they are."""
    if model is None:
        return dict(tensors)
    return turned(turn, model, tensors)


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


def pruned(
    method: Method,
    model: nn.Module,
    density: float,
    seed: int,
    batches: Batches,
    scored: Scored | None = None,
    previous: Masks | None = None,
    structure: Structure | None = None,
) -> Pruned:
    """The masks of one density: scored, masked, in as many rounds as the method has, treated; of weights not to be pruned all True.

    Args:
        method: how.
        model: to be scored and masked; left as it is.
        density: kept / prunable weights; 1 keeps everything.
        seed: of all random streams.
        batches: what scorers look at, and the shape of the input.
        scored: the scores of a single round where they are there already.
        previous: masks that are on the model; what they prune stays pruned.
        structure: of the network, where it is traced already.

    Raises:
        UserError: what `chosen_weights`, `score`, `mask` and the treatments raise.
    """
    names = chosen_weights(model, method.only, method.exclude) if method.only or method.exclude else None
    known = structure or Structure(model, batches.input_shape)
    if method.rounds > 1 and method.scorer is not None:
        turns = (method.rounds, method.round_masker, method.round_counts)
        found = in_rounds(model, method.scorer, method.masker, density, seed, batches, *turns, names, previous, known)
    else:
        scored = scored or timed(model, method.scorer, batches, seed, names=names)
        begin, notes = time.perf_counter(), Notes()
        masks = mask(scored.scores, method.masker, density, seed, notes, model, previous, 0, known, names)
        found = Pruned(masks, notes, scored.scores, scored.seconds, time.perf_counter() - begin)
        found.unscored = _all_zero(method.scorer, scored, names)
    if found.unscored:
        found.notes["unscored_layers"] = len(found.unscored)
    found.masks = everything(found.scores) | found.masks
    if density == 1:
        return found
    begin, before = time.perf_counter(), _turned(outputs_first, model, found.masks)
    offered = {"scores": _turned(outputs_first, model, found.scores), "notes": found.notes}
    if asked_for("wiring", "masks", method.treatments):
        offered["wiring"] = known.wiring
    after = treat("masks", before, method.treatments, seed, str(density), **offered)
    _check_masks("treatment", before, after)
    found.masks = _turned(as_stored, model, {name: after[name] for name in before})
    _check_revived("treatment", previous or {}, found.masks)
    found.masking += time.perf_counter() - begin
    return found


def _all_zero(scorer: Scorer | None, scored: Scored, names: Collection[str] | None) -> tuple[str, ...]:
    """The weights to be pruned to which a scorer gives nothing but zeros."""
    if scorer is None:
        return ()
    return tuple(name for name, value in scored.scores.items() if (names is None or name in names) and not value.any())


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
    names: Collection[str] | None = None,
    previous: Masks | None = None,
    structure: Structure | None = None,
) -> Pruned:
    """Score and mask in turns: after round k = 1 ... n a share density^(k/n) of the weights is left.

    Each round scores the network as pruned so far; a pruned weight never comes back (Tanaka et al. 2020, Algorithm 1).
    The notes are what the masker reports in the last round.

    Args:
        round_masker: ``masker`` (the masker makes every round's masks) or ``greedy`` (the highest scores of the whole
            network are kept until the last round, whose masks the masker makes).
        round_counts: as for `share_left`.
        names: of the weights to be pruned; all unless given.
        previous: masks that are on the model; shares of which there are fewer weights left are all that are left.
        structure: of the network, where it is traced already.

    Raises:
        UserError: an option not allowed, or what `score` and `mask` raise.
    """
    if rounds < 1 or round_masker not in ("masker", "greedy"):
        raise UserError(
            f"rounds must be at least 1 and round_masker masker or greedy, got {rounds} and {round_masker!r}."
        )
    known = structure or Structure(model, batches.input_shape)
    so_far, found, begin = copy.deepcopy(model), Pruned(dict(previous or {})), time.perf_counter()
    weights = {name: weight for name, weight in prunable(model).items() if names is None or name in names}
    total = sum(weight.numel() for weight in weights.values())
    left = sum(int(mask.sum()) for mask in (everything(weights) | found.masks).values()) / total
    for k in range(1, rounds + 1):
        chooser = masker if round_masker == "masker" or k == rounds else functools.partial(greedy, scope="global")
        scored, notes = timed(so_far, scorer, batches, seed, k, names), Notes()
        share = share_left(density, k, rounds, total, round_counts)
        share = share if k == rounds else min(share, left)
        masks = mask(scored.scores, chooser, share, seed, notes, model, found.masks, k, known, names)
        apply_masks(so_far, masks)
        unscored_ = found.unscored if k > 1 else _all_zero(scorer, scored, names)
        found = Pruned(masks, notes, scored.scores, found.scoring + scored.seconds, unscored=unscored_)
    found.masking = time.perf_counter() - begin - found.scoring
    return found


def _check_revived(who: str, available: Mapping[str, torch.Tensor], masks: Mapping[str, torch.Tensor]) -> None:
    """Raise UserError where the masks keep what is pruned already."""
    for name, left in available.items():
        if bool((masks[name].cpu() & ~left.cpu()).any()):
            raise UserError(f"the {who} brings back weights of {name} that are pruned already.")


def _check_masks(who: str, wanted: Mapping[str, torch.Tensor], masks: Mapping[str, torch.Tensor]) -> None:
    """Raise UserError unless there is a bool mask for each of the tensors, shaped like it."""
    if not isinstance(masks, Mapping):
        raise UserError(f"the {who} must give a dict of masks by weight name, got {type(masks).__name__}.")
    for name, value in wanted.items():
        found = masks.get(name)
        if not isinstance(found, torch.Tensor) or found.shape != value.shape or found.dtype != torch.bool:
            raise UserError(f"the {who} gave no bool mask of shape {list(value.shape)} for {name}.")
