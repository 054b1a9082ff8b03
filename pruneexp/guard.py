"""What goes wrong with a cell is no reason not to make the others."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from pruneexp.errors import UnwritableError
from pruneexp.failures import Failure
from pruneexp.order import Piece
from pruneexp.records import marks
from pruneexp.records.claims import ends_sweep
from pruneexp.records.store import Store
from pruneexp.system.console import say
from pruneexp.system.files import unwritable
from pruneexp.worklist import Countdown


class Guard:
    """Keeps count of the cells that could not be made.

    Args:
        store: where cells lie.

    Attributes:
        failures: by key.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.failures: dict[str, Failure] = {}

    @contextlib.contextmanager
    def guarded(self, pieces: Sequence[Piece], recorded: bool = False) -> Iterator[None]:
        """What goes wrong in the block keeps those of the cells that are not recorded from being made, and no others.

        Args:
            pieces: that the block makes.
            recorded: whether they are, and the block only measures them.

        Raises:
            UnwritableError: no cell can be recorded any more.
        """
        try:
            yield
        except UnwritableError:
            raise
        except (Exception, SystemExit) as error:  # SystemExit of code that is called: a signal's is `Stopped`
            if isinstance(error, OSError) and ends_sweep(error) and _lies_in(error, self.store.folder):
                raise UnwritableError(unwritable(error.filename, error, "results_dir")) from error
            self.fail([piece for piece in pieces if recorded or not piece.recorded], error)

    def fail(self, pieces: Sequence[Piece], error: Exception | SystemExit) -> None:
        """Note that the cells could not be made, those that were not before, and tell people."""
        for piece in pieces:
            failure = Failure.of(piece.key, Countdown.name(piece.cell), error)
            if self.failures.setdefault(piece.key, failure) is failure:
                marks.failed(self.store, piece.key, failure.why)
                piece.order.countdown.drop(piece.cell)
                say(piece.order.countdown.titles(piece.cell), f"could not be made: {failure.why}")


def _lies_in(error: OSError, folder: Path) -> bool:
    return isinstance(error.filename, str) and Path(error.filename).absolute().is_relative_to(folder.absolute())
