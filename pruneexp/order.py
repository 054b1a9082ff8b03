"""A job whose cells are to be made, with all that belongs to it."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pruneexp.artifacts import Artifacts
from pruneexp.cell import Cell
from pruneexp.jobs.job import Job
from pruneexp.means import Means
from pruneexp.records.store import Store
from pruneexp.worklist import Countdown, TimeLeft, Worklist


@dataclass(frozen=True)
class Part:
    """A job as it is given to a process.

    Attributes:
        config: its whole configuration.
        command: that runs just this job, for the records.
        numbers: of the cells to make among those that the sweep makes, by density.
    """

    config: Mapping[str, Any]
    command: str
    numbers: Mapping[float, int]


class Order:
    """One job, and what making its cells takes.

    Args:
        part: the job.
        store: where its cells lie.
        means: what it has in common with others.
        total: how many cells the sweep makes.
        left: says how long the others will take.
    """

    def __init__(self, part: Part, store: Store, means: Means, total: int, left: TimeLeft | None) -> None:
        self.job, self.command, self.store, self.means = Job.of(part.config), part.command, store, means
        self.countdown = Countdown(part.numbers, total, left)

    @functools.cached_property
    def shared(self) -> Artifacts:
        """What its cells share."""
        return Artifacts(self.job, self.store, self.means)

    @functools.cached_property
    def work(self) -> Worklist:
        return Worklist(self.job, self.store, self.job.cells(self.means.device.resolved_precision))

    def forget(self) -> None:
        """Let go of what its cells share: they are made, or it will be made again."""
        vars(self).pop("shared", None)


@dataclass(frozen=True)
class Piece:
    """A cell, with the job that it is of."""

    order: Order
    cell: Cell

    @property
    def key(self) -> str:
        return self.cell.key

    @property
    def recorded(self) -> bool:
        """Whether it has a record here; what is left then is to measure it."""
        return self.order.store.has_folder(self.key)
