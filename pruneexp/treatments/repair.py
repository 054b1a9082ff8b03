"""Repair: move weights that lie on no input-output path to where they connect."""

from collections.abc import Mapping

import torch

from pruneexp.cell import Options
from pruneexp.components.options import component
from pruneexp.errors import UserError
from pruneexp.graphs.paths import effective, reach
from pruneexp.layers import Notes
from pruneexp.network.wiring import Wiring

ROUNDS = 10


def _in_one_round(options: Options) -> None:
    """Raise UserError where there are rounds before the last."""
    if options.rounds > 1:
        raise UserError("treatment=repair goes with rounds=1: it could bring back what an earlier round pruned.")


@component("treatment", name="paths", beside=_in_one_round)
def repair_paths(
    masks: Mapping[str, torch.Tensor], scores: Mapping[str, torch.Tensor], wiring: Wiring, notes: Notes
) -> dict[str, torch.Tensor]:
    """Masks with as many weights in each layer, in which (almost) every kept weight lies on an input-output path.

    Each round, layer by layer, moves the wasted weights to the layer's highest-scoring free places between channels that
    the input reaches and channels that reach the output; where a layer has none such, between channels that satisfy one of the
    two. A wasted weight moves only where its new place is better connected than its own. Ten rounds at most: each
    can open new paths.

    Args:
        masks: bool, by weight name.
        scores: by weight name, shaped alike.
        wiring: how the layers join.
        notes: receives ``moved``, the weights that changed place, and ``wasted``, those still on no path.
    """
    repaired = {name: mask.clone() for name, mask in masks.items()}
    for _ in range(ROUNDS):
        working = effective(repaired, wiring)
        if all(bool((working[name] == mask).all()) for name, mask in repaired.items()):
            break
        for name, mask in repaired.items():  # in order: each layer sees what the ones before have gained
            forward, backward = reach(repaired, wiring)
            live = effective(repaired, wiring)[name]
            into, out = forward[wiring.sources[name]], backward[wiring.targets[name]][:, None]
            repaired[name] = _refill(live, mask, scores[name].cpu(), into, out)
    notes["moved"] = sum(int((repaired[name] & ~mask).sum()) for name, mask in masks.items())
    working = effective(repaired, wiring)
    notes["wasted"] = sum(int((mask & ~working[name]).sum()) for name, mask in repaired.items())
    return repaired


def _refill(
    working: torch.Tensor, mask: torch.Tensor, score: torch.Tensor, reached: torch.Tensor, reaching: torch.Tensor
) -> torch.Tensor:
    """`working` with as many places added as `mask` has more: the best connected first, of equals those of `mask`, then the
    highest-scoring, ties by index."""
    shape = working.shape
    connection = (reached.int() + reaching.int()).reshape(
        *torch.broadcast_shapes(reached.shape, reaching.shape), *[1] * (len(shape) - 2)
    )
    rank = score.double().flatten().argsort(stable=True).argsort()
    stays = mask.flatten().int()
    priority = ((2 * connection.expand(shape).flatten() + stays) * score.numel() + rank).masked_fill(
        working.flatten(), -1
    )
    result = working.flatten().clone()
    result[priority.topk(int(mask.sum()) - int(working.sum())).indices] = True
    return result.reshape(shape)
