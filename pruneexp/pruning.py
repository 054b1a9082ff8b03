"""Score, then mask: how a network gets its masks."""

import copy
import functools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from omegaconf import OmegaConf
from torch import nn

from pruneexp.components.component import Component, configured
from pruneexp.data.batches import Batches
from pruneexp.errors import UserError, unknown
from pruneexp.maskers.greedy import greedy
from pruneexp.maskers.layer import Layer, Layers, Notes, kept_count
from pruneexp.network.masks import Masks, apply_masks, everything
from pruneexp.network.prunable import prunable
from pruneexp.network.removal import coupled
from pruneexp.network.wiring import trace
from pruneexp.seeding import stream
from pruneexp.system import shipped

Scores = dict[str, torch.Tensor]


class Scorer(Protocol):
    """(model, batches, generator) -> {weight name: score shaped like the weight}; leaves the model as it found it."""

    def __call__(self, model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores: ...


class Masker(Protocol):
    """(layers, density, generator, notes) -> {weight name: bool mask} with exactly round(density * N) True."""

    def __call__(self, layers: Sequence[Layer], density: float, generator: torch.Generator, notes: Notes) -> Masks: ...


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
    input_shape: tuple[int, ...] | None = None,
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
        input_shape: [C, H, W], for maskers that look at which channels are coupled.

    Raises:
        UserError: density or the masker's options not allowed.
    """
    available = previous or everything(scores)
    layers = [Layer(name, value, available[name].to(value.device)) for name, value in scores.items()]
    if model is not None:
        channels = None if input_shape is None else functools.partial(coupled, model, input_shape)
        layers = Layers(layers, functools.partial(trace, model), channels)
    kept_count(layers, density)
    if density == 1:
        return everything(scores)
    purpose = ("masker", str(density), part) if part else ("masker", str(density))
    masks = masker(layers, density, stream(seed, *purpose), notes)
    for name, value in scores.items():
        if name not in masks or masks[name].shape != value.shape or masks[name].dtype != torch.bool:
            raise UserError(f"the masker gave no bool mask of shape {list(value.shape)} for {name}.")
    return masks


def in_rounds(
    model: nn.Module,
    scorer: Scorer,
    masker: Masker,
    density: float,
    seed: int,
    batches: Batches,
    notes: Notes,
    rounds: int,
    round_masker: str = "masker",
) -> Masks:
    """Score and mask in turns: after round k = 1 ... n a share density^(k/n) of the weights is left.

    Each round scores the network as pruned so far; a pruned weight never comes back (Tanaka et al. 2020, Algorithm 1).

    Args:
        notes: receives what the masker reports in the last round, and ``scoring_seconds`` of all rounds.
        round_masker: ``masker`` (the masker makes every round's masks) or ``greedy`` (the highest scores of the whole
            network are kept until the last round, whose masks the masker makes).

    Raises:
        UserError: an option not allowed, or what `score` and `mask` raise.
    """
    if rounds < 1 or round_masker not in ("masker", "greedy"):
        raise UserError(
            f"rounds must be at least 1 and round_masker masker or greedy, got {rounds} and {round_masker!r}."
        )
    pruned, masks, seconds = copy.deepcopy(model), None, 0.0
    said: Notes = {}
    for k in range(1, rounds + 1):
        chooser = masker if round_masker == "masker" or k == rounds else functools.partial(greedy, scope="global")
        begin = time.perf_counter()
        scores = score(pruned, scorer, batches, seed, part=k)
        seconds += time.perf_counter() - begin
        said = {}
        masks = mask(
            scores, chooser, density ** (k / rounds), seed, said, model, masks, part=k, input_shape=batches.input_shape
        )
        apply_masks(pruned, masks)
    assert masks is not None
    notes |= said | {"scoring_seconds": seconds}
    return masks


def prune(
    model: nn.Module,
    density: float,
    scorer: str = "magnitude",
    masker: str = "sparsify",
    seed: int = 0,
    example_input: torch.Tensor | None = None,
    data: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> Masks:
    """Masks for any network of Linear and Conv2d layers; the model is left as it is (see `apply_masks`).

    Args:
        model: the network to prune.
        density: kept / prunable weights, in (0, 1].
        scorer: a name in conf/scorer.
        masker: a name in conf/masker.
        seed: of the scorer's and masker's random streams.
        example_input: one batch-shaped tensor [n, ...], for scorers and maskers that only need the input's shape.
        data: (images, labels), normalised as the network wants them, for scorers that need samples.

    Returns:
        {weight name: bool tensor on the CPU}, round(density * N) of all N prunable weights True.

    Raises:
        UserError: unknown name, density not allowed, data missing.

    >>> model = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 5))
    >>> masks = prune(model, density=0.1)
    >>> sum(int(mask.sum()) for mask in masks.values())
    75
    """
    if not isinstance(density, (int, float)) or not 0 < density <= 1:
        raise UserError(f"density must be above 0 and at most 1, got {density!r}: it is the share of weights kept.")
    images, labels = data if data is not None else (None, None)
    sample = images if images is not None else example_input
    batches = Batches(images, labels, None if sample is None else tuple(sample.shape[1:]))
    (score_component, also), (mask_component, _) = _configured("scorer", scorer), _configured("masker", masker)
    score_function, mask_function = score_component.make(), mask_component.make()
    shape = batches.input_shape
    if not mask_component.about.needs_scores:
        return mask(unscored(model), mask_function, density, seed, {}, model, input_shape=shape)
    rounds = int(also.get("rounds", 1))
    if rounds > 1:
        if mask_component.about.removes_neurons:
            raise UserError(
                f"masker={masker} removes neurons at once, and scorer={scorer} goes in {rounds} rounds: use another scorer."
            )
        return in_rounds(model, score_function, mask_function, density, seed, batches, {}, rounds)
    return mask(score(model, score_function, batches, seed), mask_function, density, seed, {}, model, input_shape=shape)


def component(group: str, name: str) -> Any:
    """The function that conf/<group>/<name>.yaml configures."""
    return _configured(group, name)[0].make()


def _configured(group: str, name: str) -> tuple[Component, dict[str, Any]]:
    """What conf/<group>/<name>.yaml configures, and the other options that it sets."""
    folder: Path = shipped.conf_dir() / group
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in names:
        raise UserError(unknown(group, name, names))
    said: dict[str, Any] = OmegaConf.to_container(OmegaConf.load(folder / f"{name}.yaml"))  # type: ignore[assignment]
    node = said.pop(group, said)
    return configured(group, node), {} if node is said else said
