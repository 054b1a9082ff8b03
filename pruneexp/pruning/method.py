"""What scores, what masks, and what a configuration or a caller makes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import nn

from pruneexp.components.component import Component
from pruneexp.data.batches import Batches
from pruneexp.jobs.setting import Setting
from pruneexp.layers import Layer, Notes
from pruneexp.network.masks import Masks
from pruneexp.treatments.treat import treat

Scores = dict[str, torch.Tensor]


class Scorer(Protocol):
    """(model, batches, generator) -> {weight name: score shaped like the weight}; leaves the model as it found it."""

    def __call__(self, model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores: ...


class Masker(Protocol):
    """(layers, density, generator, notes) -> {weight name: bool mask} with round(density * N) True, or the number of a rule of its own.

    One that chooses within layers has an argument `counts` besides: int64 [layers], how many weights of each stay; None for its own rule.
    """

    def __call__(self, layers: Sequence[Layer], density: float, generator: torch.Generator, notes: Notes) -> Masks: ...


@dataclass(frozen=True)
class Method:
    """How a network is pruned.

    Attributes:
        scorer: its scores are treated already; None where the masker looks at no score.
        masker: chooses from the scores.
        allocation: how many weights each layer keeps; None where that is the masker's own rule.
        treatments: by name; those of masks come after the masker.
        rounds: how often scorer and masker take turns.
        round_masker: as for `pruneexp.pruning.rounds.in_rounds`.
        round_counts: as for `pruneexp.pruning.rounds.share_left`.
        only, exclude: which weights are pruned (`pruneexp.network.chosen.chosen_weights`); the others stay, and densities are without them.
    """

    scorer: Scorer | None
    masker: Masker
    allocation: Component | None = None
    treatments: Mapping[str, Component] = field(default_factory=dict)
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
        allocation = setting.components.get("allocation")
        return Method(treated, masker or setting.make("masker"), allocation, setting.treatments, *turns, *which)

    @property
    def counts_like_another(self) -> bool:
        """Whether another method prunes the network first, to be counted."""
        return self.allocation is not None and "kept_by" in self.allocation.asks


def _treated(scorer: Scorer, treatments: Mapping[str, Component], seed: int) -> Scorer:
    def treated(model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores:
        scores: Scores = treat("scores", scorer(model, batches, generator), treatments, seed)
        return scores

    return treated
