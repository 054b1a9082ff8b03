"""Where people are told things, and how: whatever is in a text, it fits the terminal and does nothing to it."""

import functools
import os
import re
import shlex
import sys
import unicodedata
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console

PASSED_ON = "PRUNEEXP_COLUMNS"  # a variable of the environment
ENDLESS = 1 << 16  # characters of a line in a file or pipe, where there is no width to fit


def console() -> Console:
    """Standard output, in a file or pipe without an end of the line. What stands in brackets is no markup."""
    width = None if sys.stdout.isatty() else ENDLESS
    return Console(
        highlight=False, markup=False, emoji=False, width=width, force_jupyter=False
    )  # notebooks have plain lines too


def terminal_width() -> int | None:
    """The characters of a line of the terminal, also of one to which another process passes on what this one says, and has said so in
    `PASSED_ON`; None in a file or pipe."""
    if sys.stdout.isatty():
        return console().width
    told = os.environ.get(PASSED_ON, "")
    return int(told) if told.isdecimal() else None


def say(title: str | Sequence[str], sentence: str) -> None:
    """One line about what has this title; of several, each shorter than the one before, the first that fits the terminal, if any."""
    titles = [title] if isinstance(title, str) else title
    tell(fitting([f"{one}: {sentence}" for one in (*titles, titles[0])]))


@functools.cache
def say_once(title: str, sentence: str) -> None:
    """The same, but only once until `say_once.cache_clear`."""
    say(title, sentence)


def tell(sentence: str) -> None:
    """One line, however long; above a bar that shows how far something is, which takes over what is printed, and no console's."""
    print(f"{visible(sentence)}\n", end="", flush=True)  # at once, whoever else writes


def fitting(texts: Sequence[str], room: int | None = None) -> str:
    """The first of the texts that fits, or the last.

    Args:
        texts: the best first.
        room: in characters; None: the terminal's line. A file or pipe has no end of the line.
    """
    room = terminal_width() if room is None else room
    return next((text for text in texts if room is None or cell_len(text) <= room), texts[-1])


def write_whatever() -> None:
    """Have standard output and error take every text: what their encoding lacks stands there as its escape."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # another program's may be anything
            stream.reconfigure(errors="backslashreplace")


def visible(text: str) -> str:
    """The text in one line of characters that can be seen: of others (escape sequences, line ends, changes of direction) the escape.

    >>> visible("two\\nlines, \\x1b[31mred")
    'two\\\\nlines, \\\\x1b[31mred'
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or unicodedata.category(one) == "Zs" else ascii(one)[1:-1] for one in text)


def quoted(word: str) -> str:
    """The word as bash reads it, in one line that can be seen; brackets alone, which bash leaves as they are, need no quotes.

    >>> print(quoted("densities=[0.1]"), quoted("title=A & B"), quoted("title=a\\nb"))
    densities=[0.1] 'title=A & B' $'title=a\\nb'
    """
    if not word.isprintable():
        return "$'" + "".join(_escaped(one) for one in word) + "'"
    return shlex.quote(word) if not word or re.search(r"[\s'\"$;&|<>\\`*?(){}!^]|^[#~]|[=:]~", word) else word


def _escaped(one: str) -> str:
    """A character as bash has it in $'...'; of one that came as a byte in no encoding, the byte."""
    if one in "\n\t":
        return ascii(one)[1:-1]
    if one.isprintable() and one not in "'\\>":
        return one
    return "".join(f"\\x{byte:02x}" for byte in one.encode(errors="surrogateescape"))
