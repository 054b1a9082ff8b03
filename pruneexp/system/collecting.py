"""Python's search for objects that only hold each other."""

import atexit
import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """Put the search off for what makes very many objects at once that stay, as reading thousands of records or importing torch does: it
    would go over all of them again and again, for nothing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def not_at_the_end() -> None:
    """Have nothing searched when the process ends, which takes most of a second where there are thousands of records: only for what
    leaves no file open."""
    atexit.register(gc.freeze)
