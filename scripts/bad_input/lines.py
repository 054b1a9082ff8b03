"""What a bad command line is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Line:
    """A command line with something wrong in it.

    Attributes:
        words: as typed; ``{here}`` in them is the empty folder that the line is run in.
        why: what is wrong with it.
        env: environment variables that it is run with, beside those there are; ``{here}`` as in the words.
        before: makes files in the folder first.
        accepted: where it is right that it is taken, or told only when there are results, why.
        program: what is run with the words in place of ``python -m pruneexp``, in the same process.
        smallest: whether the smallest other settings are put in front of the words.
    """

    words: tuple[str, ...]
    why: str
    env: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[Path], None] | None = None
    accepted: str = ""
    program: Callable[[], object] | None = None
    smallest: bool = True
