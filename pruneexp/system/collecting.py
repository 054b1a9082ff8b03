"""Python's search for objects that only hold each other."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """Put the search off for what makes very many objects at once that stay, as reading thousands of records does: it would go over all
    of them again and again, for nothing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def left_alone() -> None:
    """Have what is there now never searched again, by a process that is about to end and has left no file open: of thousands of
    records the search when Python ends takes most of a second."""
    gc.freeze()
