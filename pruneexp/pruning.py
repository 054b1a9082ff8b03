"""Score, then mask: how a network gets its masks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from pruneexp.data.batches import Batches
from pruneexp.errors import UserError
from pruneexp.layers import prunable
from pruneexp.maskers.layer import Layer, Notes, kept_count
from pruneexp.masks import Masks
from pruneexp.seeding import stream

Scores = dict[str, torch.Tensor]


class Scorer(Protocol):
    """(model, batches, generator) -> {weight name: score shaped like the weight}; leaves the model as it found it."""

    def __call__(self, model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores: ...


class Masker(Protocol):
    """(layers, density, generator, notes) -> {weight name: bool mask} with exactly round(density * N) True."""

    def __call__(self, layers: Sequence[Layer], density: float, generator: torch.Generator, notes: Notes) -> Masks: ...


def score(model: nn.Module, scorer: Scorer, batches: Batches, seed: int) -> Scores:
    """The scorer's scores, checked.

    Raises:
        UserError: a score is missing, misshapen or not finite.
    """
    weights = prunable(model)
    scores = scorer(model, batches, stream(seed, "scorer"))
    for name, weight in weights.items():
        if name not in scores or scores[name].shape != weight.shape:
            raise UserError(f"the scorer gave no score of shape {list(weight.shape)} for {name}.")
        if not bool(torch.isfinite(scores[name]).all()):
            raise UserError(f"the scores of {name} are not finite: the network's outputs or gradients overflow.")
    return scores


def mask(scores: Scores, masker: Masker, density: float, seed: int, notes: Notes) -> Masks:
    """The masker's masks at one density, checked to be complete; ``density=1`` keeps everything.

    Raises:
        UserError: density or the masker's options not allowed.
    """
    layers = [Layer(name, value, torch.ones_like(value, dtype=torch.bool)) for name, value in scores.items()]
    kept_count(layers, density)
    if density == 1:
        return {name: torch.ones_like(value, dtype=torch.bool, device="cpu") for name, value in scores.items()}
    masks = masker(layers, density, stream(seed, "masker", str(density)), notes)
    for name, value in scores.items():
        if name not in masks or masks[name].shape != value.shape or masks[name].dtype != torch.bool:
            raise UserError(f"the masker gave no bool mask of shape {list(value.shape)} for {name}.")
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
        example_input: one batch-shaped tensor [n, ...], for scorers that only need the input's shape.
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
    images, labels = data if data is not None else (None, None)
    sample = images if images is not None else example_input
    batches = Batches(images, labels, None if sample is None else tuple(sample.shape[1:]))
    scores = score(model, _component("scorer", scorer), batches, seed)
    return mask(scores, _component("masker", masker), density, seed, {})


def _component(group: str, name: str) -> Any:
    """The function that conf/<group>/<name>.yaml configures."""
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    from pruneexp.config import conf_dir, unknown

    folder: Path = conf_dir() / group
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in names:
        raise UserError(unknown(group, name, names))
    config = dict(OmegaConf.load(folder / f"{name}.yaml"))
    del config["name"]
    return instantiate(config)
