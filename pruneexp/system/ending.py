"""How a program ends: its exit code, and a sentence for whoever started it."""

import contextlib
import sys
from collections.abc import Iterator

from pruneexp.errors import UserError, shortened
from pruneexp.system.console import visible, write_whatever
from pruneexp.system.files import no_room, unwritable
from pruneexp.system.signals import Stopped, heeded


@contextlib.contextmanager
def told_at_the_end(program: str) -> Iterator[None]:
    """The block is the program: it exits with 2 for a user's mistake or a disk without room, with 143 or 130 where a signal ended it."""
    write_whatever()
    try:
        with heeded():
            yield
    except UserError as error:
        print(visible(shortened(f"{program}: {error}")), file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if not no_room(error):  # which may come of any file, and is nobody's fault
            raise
        print(visible(shortened(f"{program}: {unwritable(error.filename, error)}")), file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:  # of code that is called: a signal's is `Stopped`
        print(f"{program}: interrupted; finished cells are kept, the same command goes on.", file=sys.stderr)
        sys.exit(130)
    except Stopped as stopped:
        print(
            f"{program}: ended by {stopped}; finished cells are kept, the same command goes on.",
            file=sys.stderr,
        )
        sys.exit(stopped.code)
