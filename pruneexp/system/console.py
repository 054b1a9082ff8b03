"""Where people are told things."""

import functools
import sys

from rich.console import Console


def console() -> Console:
    """Standard output; in a file or pipe, where there is no width to fit, wide enough for tables."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def say(title: str, sentence: str) -> None:
    """One line about what has this title."""
    console().print(f"{title}: {sentence}", soft_wrap=True, markup=False)


@functools.cache
def say_once(title: str, sentence: str) -> None:
    """The same, but only once until `say_once.cache_clear`."""
    say(title, sentence)
