"""A masker's masks at one density, checked."""

from collections.abc import Callable, Mapping

import torch

from pruneexp.errors import UserError
from pruneexp.layers import Layer, Layers, Notes, kept_count
from pruneexp.network.masks import Masks, everything
from pruneexp.network.prunable import as_stored, outputs_first, turned
from pruneexp.pruning.allocating import Counts, check_kept
from pruneexp.pruning.method import Masker, Scores
from pruneexp.pruning.target import Target
from pruneexp.seeding import stream


def mask(
    target: Target,
    scores: Scores,
    masker: Masker,
    density: float,
    seed: int,
    notes: Notes,
    part: int = 0,
    counts: Counts | None = None,
) -> Masks:
    """The masker's masks at one density, checked to be complete; ``density=1`` keeps everything.

    Args:
        target: what is pruned; the masker sees weights that are not stored with a row for each output as if they were.
        scores: by weight name.
        density: kept / prunable weights, of the target's weights, also in a later round.
        seed: the masker's random stream is (seed, "masker", density), and `part` in later rounds.
        notes: receives what the masker reports.
        part: number of the round, 0 for a single one.
        counts: how many weights of each layer stay; None: as the masker has it.

    Returns:
        masks of the target's weights, and of others where removing neurons prunes them too.

    Raises:
        UserError: density or the masker's options not allowed, numbers that layers have not, or masks that are none of these weights.
    """
    scored = turned(outputs_first, target.model, scores)
    available = everything(scored) | turned(outputs_first, target.model, target.previous)
    others = {name: value for name, value in scored.items() if not target.includes(name)}
    some = [Layer(name, scored[name], available[name].to(scored[name].device)) for name in scored if name not in others]
    layers = Layers(some, lambda: target.structure.wiring, lambda: target.structure.coupled, others)
    kept_count(layers, density)
    if density == 1:
        return everything({layer.name: scores[layer.name] for layer in layers})
    purpose = ("masker", str(density), part) if part else ("masker", str(density))
    numbers = {} if counts is None else {"counts": counts(layers, density, notes)}
    choose: Callable[..., Masks] = masker
    masks = choose(layers, density, stream(seed, *purpose), notes, **numbers)
    given = masks if isinstance(masks, Mapping) else {}
    check_masks("masker", {name: value for name, value in scored.items() if name not in others or name in given}, masks)
    for wanted in numbers.values():
        check_kept(masks, layers, wanted)
    check_revived("masker", {layer.name: layer.available for layer in layers}, masks)
    return turned(as_stored, target.model, {name: masks[name].cpu() for name in scored if name in given})


def check_revived(who: str, available: Mapping[str, torch.Tensor], masks: Mapping[str, torch.Tensor]) -> None:
    """Raise UserError where the masks keep what is pruned already."""
    for name, left in available.items():
        if bool((masks[name].cpu() & ~left.cpu()).any()):
            raise UserError(f"the {who} brings back weights of {name} that are pruned already.")


def check_masks(who: str, wanted: Mapping[str, torch.Tensor], masks: Mapping[str, torch.Tensor]) -> None:
    """Raise UserError unless there is a bool mask for each of the tensors, shaped like it."""
    if not isinstance(masks, Mapping):
        raise UserError(f"the {who} must give a dict of masks by weight name, got {type(masks).__name__}.")
    for name, value in wanted.items():
        found = masks.get(name)
        if not isinstance(found, torch.Tensor) or found.shape != value.shape or found.dtype != torch.bool:
            raise UserError(f"the {who} gave no bool mask of shape {list(value.shape)} for {name}.")
