"""The masks of one density, by one method."""

import time
from collections.abc import Mapping

import torch
from torch import nn

from pruneexp.data.batches import Batches
from pruneexp.layers import Notes
from pruneexp.network.chosen import chosen_weights
from pruneexp.network.masks import Masks, everything
from pruneexp.network.prunable import as_stored, outputs_first, turned
from pruneexp.network.structure import Structure
from pruneexp.pruning.allocating import counting
from pruneexp.pruning.masking import check_masks, check_revived, mask
from pruneexp.pruning.method import Masker, Method, Scorer
from pruneexp.pruning.rounds import Pruned, in_rounds
from pruneexp.pruning.scoring import Scored, all_zero, timed
from pruneexp.pruning.target import Target
from pruneexp.treatments.treat import asked_for, treat


def pruned(
    method: Method,
    model: nn.Module,
    density: float,
    seed: int,
    batches: Batches,
    scored: Scored | None = None,
    previous: Mapping[str, torch.Tensor] | None = None,
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
    target = Target(model, structure or Structure(model, batches.input_shape), names, previous or {})

    def kept_by(scorer: Scorer, masker: Masker, rounds: int, round_counts: str) -> Masks:
        other = Method(scorer, masker, None, {}, rounds, "masker", round_counts, method.only, method.exclude)
        return pruned(other, model, density, seed, batches, previous=previous, structure=target.structure).masks

    counts = counting(method.allocation, kept_by, density)
    if method.rounds > 1 and method.scorer is not None:
        found = in_rounds(method, target, density, seed, batches, counts)
    else:
        scored = scored or timed(model, method.scorer, batches, seed, names=names)
        begin, notes = time.perf_counter(), Notes()
        masks = mask(target, scored.scores, method.masker, density, seed, notes, counts=counts)
        found = Pruned(masks, notes, scored.scores, scored.seconds, time.perf_counter() - begin)
        found.unscored = all_zero(method.scorer, scored, target)
    if found.unscored:
        found.notes["unscored_layers"] = len(found.unscored)
    found.masks = everything(found.scores) | found.masks
    return found if density == 1 else treated(found, method, target, density, seed)


def treated(found: Pruned, method: Method, target: Target, density: float, seed: int) -> Pruned:
    """Masks after the method's treatments of masks, if it has any.

    Raises:
        UserError: what the treatments raise, or they bring back what the target's previous masks prune.
    """
    model = target.model
    begin, before = time.perf_counter(), turned(outputs_first, model, found.masks)
    offered = {"scores": turned(outputs_first, model, found.scores), "notes": found.notes}
    if asked_for("wiring", "masks", method.treatments):
        offered["wiring"] = target.structure.wiring
    after = treat("masks", before, method.treatments, seed, str(density), **offered)
    check_masks("treatment", before, after)
    found.masks = turned(as_stored, model, {name: after[name] for name in before})
    check_revived("treatment", target.previous, found.masks)
    found.masking += time.perf_counter() - begin
    return found
