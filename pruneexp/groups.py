"""Which cells are trained at once."""

from collections.abc import Sequence

from pruneexp.order import Piece
from pruneexp.system.console import console
from pruneexp.training.members import choose, why_alone


def groups(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Cells of one kind (`pruneexp.means.kind`) in groups of those that are trained at once; those that are only to be measured by
    themselves."""
    new = [piece for piece in pieces if not piece.recorded]
    members = _members(new)
    together = [new[k : k + members] for k in range(0, len(new), members)]
    return [[piece] for piece in pieces if piece.recorded] + together


def _members(pieces: Sequence[Piece]) -> int:
    """How many of some new cells are trained at once."""
    if len(pieces) < 2:
        return 1
    shared = pieces[0].order.shared
    device = shared.device
    if device.members == 1 or device.devices > 1:
        return 1
    if why := why_alone(shared.initial, shared.data.input_shape):
        console().print(f"One network at a time, whatever trainer.members says: {why}.", soft_wrap=True, markup=False)
        return 1
    members = choose(shared.initial, shared.recipe, shared.data, device, len(pieces))
    if device.members == "auto":
        console().print(f"trainer.members=auto: {members} at once.")
    return members
