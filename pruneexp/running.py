"""Jobs as the algorithm: for each cell score, mask, treat, measure, train, record."""

import contextlib
import gc
from collections.abc import Iterator, Sequence

import torch

from pruneexp.errors import UnwritableError, UserError, first_line
from pruneexp.failures import Failure
from pruneexp.groups import groups
from pruneexp.guard import Guard
from pruneexp.jobs.job import Job
from pruneexp.levels import Levels
from pruneexp.means import Means
from pruneexp.network.weights import WEIGHTS
from pruneexp.order import Order, Part, Piece
from pruneexp.outcome import Trial, files_of, measure_later
from pruneexp.records.provenance import git_commit
from pruneexp.records.record import Record
from pruneexp.records.store import Store
from pruneexp.system.console import say
from pruneexp.system.signals import check, shielded
from pruneexp.training.train import Trained
from pruneexp.trials import prepared, train
from pruneexp.worklist import TimeLeft


def run(parts: Sequence[Part], total: int, left: TimeLeft | None = None, wait: bool = True) -> list[Failure]:
    """Make the jobs' cells that have no record yet.

    Cells that another process is working on are left to it and, with `wait`, looked at again at the end, so that the jobs end
    when all their cells are recorded, whoever made them, or could not be made.

    Args:
        parts: jobs of one kind (`pruneexp.means.kind`), whose cells may be trained side by side.
        total: how many cells the sweep makes.
        left: says how long the others will take.
        wait: for other processes; without it their cells, and those that need a dense network of theirs, are left as they are.

    Returns:
        The cells that could not be made, told as they failed.

    Raises:
        UserError: a configuration fault.
        UnwritableError: no cell can be recorded any more.
    """
    job = Job.of(parts[0].config)
    git_commit()  # as it is now, not when the last cell is done
    store, means = Store(job.options.results_dir, job.options.records), Means(job)
    orders = [Order(part, store, means, total, left) for part in parts]
    maker = Maker(store, orders, wait)
    # the precision is the device's to say, which may not be there; without data there are no cells
    with maker.guard.guarded([Piece(one, cell) for one in orders for cell in one.job.cells(one.job.precisions()[0])]):
        _ = means.device, means.dataset
    if not maker.guard.failures:
        pieces = maker.pieces()
        with maker.guard.guarded(pieces):
            maker.make(pieces)
    return list(maker.guard.failures.values())


class Maker:
    """Makes the cells of some jobs.

    Args:
        store: where they lie.
        orders: the jobs, of one kind.
        wait: for other processes.

    Attributes:
        guard: knows the cells that could not be made.
    """

    def __init__(self, store: Store, orders: Sequence[Order], wait: bool) -> None:
        self.store, self.orders, self.wait = store, orders, wait
        self.guard = Guard(store)

    def pieces(self) -> list[Piece]:
        """The jobs' cells in the order of jobs and densities, each once."""
        found: dict[str, Piece] = {}
        for order in self.orders:
            for cell in order.work.cells:
                found.setdefault(cell.key, Piece(order, cell))
        return list(found.values())

    def make(self, pieces: Sequence[Piece]) -> None:
        """Make those of the cells that are left, in their order, but dense networks that others need first."""
        needing = [order for order in self.orders if order.job.needs_dense]
        started = [(order, starts) for order in needing if (starts := self._starting_from_dense(order))]
        dense = {order.shared.dense_cell.key: Piece(order, order.shared.dense_cell) for order, _ in started}
        self.go_through(list(dense.values()), here=True)
        early = set[str]()
        for order, starts in started:
            if (failure := self.guard.failures.get(order.shared.dense_cell.key)) is not None:
                self.guard.fail(starts, UserError(f"it needs the trained dense network, and {failure.why}"))
            elif not self.store.has_folder(order.shared.dense_cell.key):  # another process trains it
                early |= {piece.key for piece in starts}
        for key in dense.keys() - {piece.key for piece in pieces}:  # nobody has asked for it
            self.guard.failures.pop(key, None)
        self.go_through([piece for piece in pieces if piece.key not in early])

    def _starting_from_dense(self, order: Order) -> list[Piece]:
        """The cells of a job that are left and need a dense network that is not there."""
        if self.store.has_folder(order.shared.dense_cell.key):
            return []
        pruned = [piece for cell in order.work.cells if cell.density < 1 and self._is_left(piece := Piece(order, cell))]
        # where training starts from it, measuring needs it too
        return [piece for piece in pruned if order.job.options.rewind == "none" or not piece.recorded]

    def go_through(self, pieces: Sequence[Piece], here: bool = False) -> None:
        """Make what is left of the pieces: first what no other process works on, then, waiting for them, what others have left.

        Args:
            here: a record from elsewhere does not count.
        """
        self._in_turn(groups(self._left(pieces, here)), here)
        for number, piece in enumerate(pieces if self.wait else (), start=1):
            with self.claimed([piece], True, here) as behind:
                if behind:  # by a process that has died, and maybe others of its group with it
                    self._beside(piece, self._left(pieces[number:], here), here)

    def _in_turn(self, found: Sequence[Sequence[Piece]], here: bool) -> None:
        """Make groups of pieces; what a job's cells share is let go of after the last group with one of them."""
        last = {id(piece.order): number for number, group in enumerate(found) for piece in group}
        for number, group in enumerate(found):
            with self.claimed(group, False, here) as mine:
                self.finish(mine)
            for piece in group:
                if last[id(piece.order)] == number:
                    piece.order.forget()

    def _beside(self, piece: Piece, others: Sequence[Piece], here: bool) -> None:
        """Make a piece whose claim the caller holds, and with it of the others what is trained at once and no other process works on."""
        group = groups([piece, *others])[0]
        with self.claimed(group[1:], False, here) as mine:
            self.finish([piece, *mine])
        for one in group:
            one.order.forget()

    def _left(self, pieces: Sequence[Piece], here: bool) -> list[Piece]:
        return [piece for piece in pieces if self._is_left(piece, here)]

    def _is_left(self, piece: Piece, here: bool = False) -> bool:
        with self.guard.guarded([piece], recorded=True):  # its record may be damaged
            return piece.key not in self.guard.failures and not piece.order.work.finished(piece.cell, here)
        return False

    @contextlib.contextmanager
    def claimed(self, pieces: Sequence[Piece], wait: bool = False, here: bool = False) -> Iterator[list[Piece]]:
        """Those of the pieces that are this process's to finish, as `Worklist.claimed` has it of each."""
        mine = []
        with contextlib.ExitStack() as claims:
            for piece in pieces:
                with self.guard.guarded([piece], recorded=True):
                    claimed = piece.order.work.claimed(piece.cell, wait, here)
                    if piece.key not in self.guard.failures and claims.enter_context(claimed):
                        mine.append(piece)
            yield mine

    def finish(self, pieces: Sequence[Piece]) -> None:
        """Make and record cells, new ones in one training; a finished one is only measured. The caller holds their claims."""
        trials: list[Trial] = []
        later: list[Piece] = []
        for piece in pieces:
            check()
            with self.guard.guarded([piece], measuring := piece.recorded):
                if measuring:
                    self.store.amend(piece.key, measure_later(piece))
                    say(piece.key, "measured.")
                else:
                    try:
                        trials.append(prepared(piece))
                    except torch.OutOfMemoryError:  # beside the others
                        if not trials:
                            raise
                        later.append(piece)
        with self.guard.guarded([trial.piece for trial in trials]):
            if (why := self._train(trials)) is not None:
                left = [trial.piece for trial in trials if not trial.piece.recorded]
                for piece in left:
                    say(piece.order.countdown.titles(piece.cell), f"is trained by itself ({why})")
                later = [*left, *later]
        trials.clear()
        if later:
            gc.collect()  # what an error came through may hold one another, and memory
        for piece in later:
            self.finish([piece])

    def _train(self, trials: Sequence[Trial]) -> str | None:
        """Train the trials at once; why several could not be, where some are left that might be trained by themselves."""
        try:
            train(trials, self.record)
        except UnwritableError:
            raise
        except Exception as error:
            if len(trials) == 1:
                raise
            return first_line(error)
        return None

    def record(self, trial: Trial, trained: Trained, record: Record) -> None:
        """Leave a trained cell behind."""
        piece = trial.piece
        with self.guard.guarded([piece]):
            with shielded():
                self.store.write(piece.key, record, files_of(trial), trained.history)
            Levels(piece).leave(trial.network, trial.masks, record["total_epochs"])
            piece.order.countdown.tell(piece.cell, record)
            if piece.order.job.densities == [1.0]:  # its weights are what the job is for
                say("its weights", f"{self.store.folder / piece.key / WEIGHTS}")
