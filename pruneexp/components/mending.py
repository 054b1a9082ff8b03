"""What the code of a user's component raises, in a sentence that says where."""

import contextlib
import traceback
from collections.abc import Iterator
from pathlib import Path

from pruneexp.components.foreign import INSTALLED, OURS, STANDARD
from pruneexp.errors import UserError, first_line

BESIDE = (*INSTALLED, STANDARD, OURS)


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """A block that runs code of the user's.

    Args:
        what: it is, for the sentence: ``model._target_=mine.net``.

    Raises:
        UserError: in place of whatever the block raises, an exit too.
    """
    try:
        yield
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        kind, text = type(error).__name__, first_line(error)[:300]
        reason = f"{kind}: {text}" if text != kind else kind
        raise UserError(f"{what} cannot be used, {_place(error)} raises {reason}: mend it there.") from error


def _place(error: BaseException) -> str:
    """The last line of the user's own on the way to the error; the last of all where none is."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name} line {error.lineno}"
    frames = [one for one in traceback.extract_tb(error.__traceback__) if not one.filename.startswith("<")]
    own = [one for one in frames if not any(folder in Path(one.filename).resolve().parents for folder in BESIDE)]
    last = (own or frames)[-1]
    return f"{Path(last.filename).name} line {last.lineno}"
