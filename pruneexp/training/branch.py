"""One network's training, epoch by epoch."""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning.pytorch.loggers import Logger
from torch import nn

from pruneexp.data.resident import Resident
from pruneexp.mask_updates.update import MaskUpdate
from pruneexp.network.masks import Masks
from pruneexp.recipe import Recipe
from pruneexp.seeding import stream
from pruneexp.training.data_parallel import Reduction
from pruneexp.training.device import Device
from pruneexp.training.mask_changes import MaskChanges
from pruneexp.training.selection import LAST, Selection
from pruneexp.training.step import Counters, Step

FIGURES = ("train/loss", "train/accuracy", "validation/loss", "validation/accuracy")


@dataclass
class Course:
    """How one network's training went: a row for each epoch, and the loss and accuracy on the test images of the weights it leaves."""

    history: list[dict[str, float]] = field(default_factory=list)
    diverged: bool = False  # the training loss stopped being finite, and with it the training
    chosen: int = -1  # the row of the epoch whose weights it leaves
    tested: tuple[float, float] = (math.nan, math.nan)
    updates: int = 0  # of its masks, up to the chosen epoch's end
    masks: Masks | None = None  # that those weights have, where they have changed
    seconds: float = 0.0  # this network's share of the time


class Branch:
    """A network that is trained, alone or beside others; no number of its training depends on them.

    Args:
        network, masks, recipe, reduction: as for `Step`; trained in place.
        data: the batches; with a reduction this process's share (`Resident.shared`).
        device: where the network and the data are.
        loggers: told a row after each epoch.
        epochs: the recipe's epoch before which it ends.
        start: the one that it begins with.
        selection: which epoch's weights it leaves, and when it ends earlier; the data has validation images where that needs some.
        update: how the masks change on the way, if they do; then `masks` are the masker's, which it may start otherwise.

    Raises:
        UserError: the training is too short for an update.
    """

    def __init__(
        self,
        network: nn.Module,
        masks: Masks,
        recipe: Recipe,
        data: Resident,
        device: Device,
        loggers: Sequence[Logger],
        epochs: int,
        start: int = 0,
        reduction: Reduction | None = None,
        selection: Selection = LAST,
        update: MaskUpdate | None = None,
    ) -> None:
        self.network, self.recipe, self.data, self.loggers, self.reduction = network, recipe, data, loggers, reduction
        self.epochs, self.start, self.selection = epochs, start, selection
        self.step = Step(network, masks if update is None else update.start(masks), recipe, device, reduction)
        self.changes: MaskChanges | None = None
        if update is not None:
            self.changes = MaskChanges(update, masks, self.step, (epochs - start) * data.steps(), data.seed)
        self.counters, self.batches, self.begun = Counters(), 0, 0
        self.course = Course()
        self.best: dict[str, torch.Tensor] = {}  # the state of the best epoch so far, where it is asked for
        self.closed = False  # it has ended, and somebody has taken over what it leaves

    @property
    def epoch(self) -> int:
        """The recipe's that is under way, or next."""
        return self.start + len(self.course.history)

    @property
    def done(self) -> int:
        """Steps of the epochs that have ended."""
        return len(self.course.history) * self.data.steps()

    @property
    def going(self) -> bool:
        return self.epoch < self.epochs and not self.course.diverged and not self.selection.ends(self.course.history)

    @property
    def is_earlier(self) -> bool:
        """Whether the training has ended with the weights of another epoch than its last."""
        return 0 <= self.course.chosen < len(self.course.history) - 1

    @property
    def frozen(self) -> bool:
        """Whether the classifier alone is trained in this epoch."""
        return self.epoch < self.recipe.frozen_epochs

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from the end of an epoch, as a checkpoint has it: state dicts, masks, the rows so far, which the loggers are told."""
        self.network.load_state_dict(state["network"])
        # the options are its own: where steps are recorded is no matter of the training that is gone on with
        self.step.optimiser.load_state_dict(self.step.optimiser.state_dict() | {"state": state["optimiser"]["state"]})
        self.best, history = state.get("best", {}), state["history"]
        if self.changes is not None:
            self.changes.restore(state["masks"])
        self.course.history[:] = history
        self.course.diverged = not math.isfinite(history[-1]["train/loss"])
        for row in history:
            self._log(row)

    def begin_epoch(self) -> None:
        self.network.train()
        self.step.set_learning_rate(self.recipe.learning_rate(self.epoch))
        if self.recipe.frozen_epochs:
            self.step.freeze(self.frozen)
        self.step.settle()  # a checkpoint's weights, too
        self.counters, self.batches, self.begun = Counters(self.network), 0, 0
        share = [self.data.rank] if self.data.ranks > 1 else []
        # the global stream, which dropout draws from: a network that does is trained by itself
        torch.manual_seed(stream(self.data.seed, "dropout", self.epoch, *share).initial_seed())

    def begin_step(self) -> None:
        """Before each step of an epoch; of these the first has the epoch's own learning rate."""
        if self.recipe.lr_interval == "step":
            self.step.set_learning_rate(self.recipe.learning_rate(self.epoch + self.begun / self.data.steps()))
        if self.changes is not None:
            self.changes.before_step(self.done + self.begun)
        self.begun += 1

    def end_epoch(self) -> None:
        """BatchNorm's numbers are those of the whole epoch."""
        self.give_back()
        if self.reduction is not None:
            self.reduction.statistics(self.network)

    def give_back(self) -> None:
        """Whatever was taken out of the network for the epoch that is under way."""
        self.counters.give_back(self.batches)

    def note(self, *figures: float) -> None:
        """Add the epoch's row: loss and accuracy on the training images, and on the validation images where there are any."""
        named = dict(zip(FIGURES, figures, strict=False))
        row = {"epoch": self.epoch, **named, "learning_rate": self.recipe.learning_rate(self.epoch)}
        if self.selection.best and self.selection.chosen([*self.course.history, row]) == len(self.course.history):
            # where the network is, and nothing waits for it; before the row, whose epoch a signal then finds complete
            self.best = copy.deepcopy(self.network.state_dict())
            if self.changes is not None:
                self.changes.best = self.changes.masks()
        self.course.history.append(row)
        self.course.diverged = not math.isfinite(figures[0])
        self._log(row)

    def leave(self) -> None:
        """After the last epoch: the network has the weights that are tested and saved."""
        self.course.chosen = self.selection.chosen(self.course.history)
        if self.is_earlier:
            self.network.load_state_dict(self.best)
            if self.changes is not None:
                self.changes.set(self.changes.best)
            self.step.settle()  # a checkpoint's weights, too

        if self.changes is not None:
            self.course.masks = self.changes.masks()
            self.course.updates = self.changes.made((self.course.chosen + 1) * self.data.steps())

    def _log(self, row: dict[str, float]) -> None:
        for logger in self.loggers:
            logger.log_metrics(row, step=int(row["epoch"]))
