"""A command line as others are told it: without where things lie on this machine."""

import functools
import re
from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, QuotedString
from hydra.errors import HydraException

from pruneexp.cell import PLACES, marked
from pruneexp.system.places import of_here, told

NEXT = ("--config-dir", "-cd")  # the next word is theirs
LEFT_OUT = tuple(
    f"{name}=" for name in PLACES if name not in marked("identity")
)  # a cell is the same wherever they are


def without_places(words: Sequence[str]) -> list[str]:
    """The words: of a file that lies on this machine the name alone, of a folder ``DIR``, but no word of a folder with a default.

    >>> without_places(["-cd", "/home/me/conf", "weights=/home/me/w.pth", "data_dir=/data", "results_dir=runs", "seed=0"])
    ['-cd', 'DIR', 'weights=w.pth', 'results_dir=runs', 'seed=0']
    """
    found = []
    for before, word in zip(["", *words], words, strict=False):
        own = told(word) if before in NEXT else _without(word)
        if own == word or not word.startswith(LEFT_OUT) or word.startswith("records="):
            found.append(own)
    return found


@functools.lru_cache(maxsize=4096)
def _without(word: str) -> str:
    """A word that is not the value of one before it."""
    if not re.search(r"/|\.\.", word):
        return word
    if word.startswith("-"):
        option, value = re.fullmatch(r"(-+[\w-]*?(?:=|(?=[/~.])|$))(.*)", word, re.DOTALL).groups()  # type: ignore[union-attr]
        return f"{option}{told(value)}"
    name, _, value = word.partition("=")
    try:
        (override,) = OverridesParser.create().parse_overrides([word])
        texts = [text for text in _texts(override.value()) if of_here(text)]
    except HydraException:
        return f"{name}={told(value)}" if value else str(told(word))
    for text in sorted(texts, key=len, reverse=True):
        if text not in word:  # it has escaped quotes in it
            return f"{name}={told(text)}"
        word = word.replace(text, told(text))
    return word


def _texts(value: Any) -> Iterator[str]:
    """Every text in an override's value."""
    if isinstance(value, ChoiceSweep):
        value = value.list
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, (str, QuotedString)):
        yield value.text if isinstance(value, QuotedString) else value
