"""The one exception that stands for a mistake the user can put right, and what its sentences are made of."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """What was wrong, which values are allowed and how to fix it, in one sentence.

    The command line prints the sentence and exits with code 2; from Python it is an ordinary exception.
    """


class UnwritableError(UserError):
    """The folder of results cannot be written: no cell can be recorded any more, and a sweep ends."""


class UnwrittenError(UserError):
    """A report cannot be written; its table has been shown."""


def first_line(error: BaseException) -> str:
    """What another library's error says in its first line, to be put into a sentence; its type if it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def reason(error: BaseException) -> str:
    """Why, to be put into a sentence: the system's words where it has any, without number and path, else the first line."""
    return getattr(error, "strerror", None) or first_line(error)


MOST = 2000  # letters of a sentence: a word of a megabyte is not told in full


def shortened(sentence: str) -> str:
    """The sentence, its middle left out where it is very long."""
    return sentence if len(sentence) <= MOST else f"{sentence[: MOST // 2]} ... {sentence[-MOST // 3 :]}"


def near(name: str, known: Iterable[str], number: int = 3) -> list[str]:
    """The names that are most like this one, the nearest first; none where none is like it."""
    return difflib.get_close_matches(name, known, n=number, cutoff=0.5)


def unknown(what: str, name: str, known: Iterable[str], within: str = "") -> str:
    """One sentence for a name that does not exist, with the nearest that does; all of them follow `within`, as in ``recipe.lr``."""
    names = sorted(known)
    if not names:
        return f"there is no {what} {within + name!r}{f': {within[:-1]} as chosen has none' if within else ', nor any other'}."
    nearest = near(name, names, number=1)
    guess = f" Did you mean {within + nearest[0]!r}?" if nearest else ""
    return f"there is no {what} {within + name!r}.{guess} Available: {', '.join(within + one for one in names)}."
