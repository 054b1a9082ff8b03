"""Cells that could not be made, and why."""

import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pruneexp.errors import UserError, first_line
from pruneexp.system import memory
from pruneexp.system.files import no_room, unwritable


@dataclass(frozen=True)
class Failure:
    """One cell that could not be made.

    Attributes:
        key: the cell's.
        title: the cell, as people are told of it.
        why: in a sentence.
        trace: of an error that is none of the user's: where in the program it came from.
    """

    key: str
    title: str
    why: str
    trace: str = ""

    @staticmethod
    def of(key: str, title: str, error: Exception | SystemExit) -> "Failure":
        """Made of what was raised."""
        if isinstance(error, UserError):
            return Failure(key, title, str(error))
        if isinstance(error, OSError) and no_room(error):  # no fault of the program's
            return Failure(key, title, unwritable(error.filename, error))
        if memory.ran_out(error):
            free = memory.available()
            there = "" if free is None else f" ({memory.said(free)} are free now)"
            return Failure(
                key,
                title,
                f"there is not enough memory for it{there}, {first_line(error)[:200]}: set a smaller recipe.batch_size, model or number of"
                " trainer.members.",
            )
        why = " ".join("".join(traceback.format_exception_only(error)).split())
        return Failure(key, title, why, "".join(traceback.format_exception(error)).rstrip())


def summary(failures: Iterable[Failure], asked: int) -> str:
    """How many of the cells that were asked for could not be made, with each reason once."""
    by_reason: dict[str, list[Failure]] = {}
    for failure in {one.key: one for one in failures}.values():
        by_reason.setdefault(failure.why, []).append(failure)
    count = sum(map(len, by_reason.values()))
    reasons = [f"{_named(some)}: {why}" for why, some in by_reason.items()]
    head = f"{count} of {asked} cells could not be made"
    return f"{head}: {reasons[0]}" if len(reasons) == 1 else "\n  ".join([f"{head}:", *reasons])


def _named(some: Sequence[Failure]) -> str:
    others = len(some) - 1
    return some[0].title + (f" and {others} other{'s' * (others > 1)}" if others else "")
