"""Which cells are trained at once."""

import contextlib
from collections.abc import Sequence

from pruneexp.artifacts import Artifacts
from pruneexp.order import Piece
from pruneexp.training.members import choose


def groups(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Cells of one kind (`pruneexp.means.kind`) in groups of those that are trained at once, in their order; those that are only to be
    measured by themselves."""
    new, members = [piece for piece in pieces if not piece.recorded], 1
    if len(new) > 1 and new[0].order.means.device.members != 1:
        drawn = _drawn(new)
        if drawn is not None:
            timed = new[0].order.means.timed
            members = choose(drawn.initial, drawn.recipe, drawn.data, drawn.device, len(new), timed)
    found = [new[k : k + members] for k in range(0, len(new), members)] + [[one] for one in pieces if one.recorded]
    place = {piece.key: number for number, piece in enumerate(pieces)}
    return sorted(found, key=lambda group: place[group[0].key])


def _drawn(pieces: Sequence[Piece]) -> Artifacts | None:
    """What the cells of the first job share whose network can be drawn; those of the others are told as they fail, each by itself."""
    for order in dict.fromkeys(piece.order for piece in pieces):
        with contextlib.suppress(Exception):
            _ = order.shared.initial
            return order.shared
    return None
