"""The LightningModule: where training is defined."""

import math
from dataclasses import dataclass, field
from typing import Any

import lightning
import torch
from torch import nn

from pruneexp.data.resident import Resident, Split
from pruneexp.network.masks import Masks
from pruneexp.recipe import Recipe
from pruneexp.seeding import stream
from pruneexp.system.signals import check
from pruneexp.training.cuda_graph import few_launches
from pruneexp.training.data_parallel import Reduction
from pruneexp.training.device import Device
from pruneexp.training.ensemble import Ensemble
from pruneexp.training.step import Step
from pruneexp.training.tally import Tally


@dataclass
class Course:
    """How one network's training went: a row for each epoch, and the loss and accuracy on the test images at its end."""

    history: list[dict[str, float]] = field(default_factory=list)
    diverged: bool = False  # the training loss stopped being finite, and with it the training
    tested: tuple[float, float] = (math.nan, math.nan)

    def add(self, epoch: int, figures: tuple[float, ...], rate: float) -> None:
        """Add a row: loss and accuracy on the training images, and on the validation images where there are any."""
        names = ("train/loss", "train/accuracy", "validation/loss", "validation/accuracy")
        self.history.append({"epoch": epoch, **dict(zip(names, figures, strict=False)), "learning_rate": rate})
        self.diverged = not math.isfinite(figures[0])


class MaskedClassifier(lightning.LightningModule):
    """A network, or an ensemble of them, trained on cross-entropy by `Step`.

    One Lightning batch is a chunk of many optimiser steps: the framework's cost per batch is paid once a chunk, and so
    is the counting of losses and hits.

    Args:
        network, masks, recipe, device, reduction: as for `Step`; trained in place.
        data: the batches; with a reduction this process's share (`Resident.shared`).

    After the fit, `courses` says how it went for each network. With a reduction courses and, from each epoch's end on,
    BatchNorm's statistics are equal in all processes.
    """

    def __init__(
        self,
        network: nn.Module,
        masks: Masks,
        recipe: Recipe,
        data: Resident,
        device: Device,
        reduction: Reduction | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.network = network
        self.recipe, self.data, self.settings, self.reduction = recipe, data, device, reduction
        self.step = Step(network, masks, recipe, device, reduction)
        self.make_step = few_launches(self.step, device)
        self.courses = [Course() for _ in range(network.members if isinstance(network, Ensemble) else 1)]
        self.tally = Tally(len(self.courses), device.where, reduction)

    @property
    def history(self) -> list[dict[str, float]]:
        """The first network's."""
        return self.courses[0].history

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.step.sgd

    def train_dataloader(self) -> "_Chunks":
        return _Chunks(self)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return batch  # it is made there

    def on_train_start(self) -> None:
        self.network.train()

    def on_train_epoch_start(self) -> None:
        self.step.set_learning_rate(self.recipe.learning_rate(self.current_epoch))
        if self.recipe.frozen_epochs:
            self.step.freeze(self.current_epoch < self.recipe.frozen_epochs)
            if self.current_epoch == self.recipe.frozen_epochs:
                self.make_step = few_launches(self.step, self.settings)  # what was recorded trains the classifier alone
        share = [self.data.rank] if self.data.ranks > 1 else []
        torch.manual_seed(stream(self.data.seed, "dropout", self.current_epoch, *share).initial_seed())

    def training_step(self, chunk: list[Split], _: int) -> None:
        logits = []
        for images, labels in chunk:
            check()  # a signal whose exception was lost
            logits.append(self.make_step(images, labels))
        labels = torch.cat([labels for _, labels in chunk])
        self.tally.count(torch.cat(logits, dim=1), labels, self.recipe.label_smoothing)

    def on_train_epoch_end(self) -> None:
        if self.reduction is not None:
            self.reduction.statistics(self.network)
        trained = self.tally.take()
        held_out = self.evaluate(self.data.validation) if len(self.data.validation[1]) else [()] * len(trained)
        going, rate = self._going(), self.recipe.learning_rate(self.current_epoch)
        for member in going:
            self.courses[member].add(self.current_epoch, (*trained[member], *held_out[member]), rate)
        if self.trainer.loggers and len(self.courses) == 1:
            # Lightning adds the epoch
            self.log_dict({name: value for name, value in self.history[-1].items() if name != "epoch"})
        if lost := [member for member in going if self.courses[member].diverged]:
            self._test(lost)
        self.trainer.should_stop |= not self._going()

    def _going(self) -> list[int]:
        """The networks whose training has not diverged."""
        return [member for member, course in enumerate(self.courses) if not course.diverged]

    def _test(self, members: list[int]) -> None:
        """The test figures of some members whose training ends here."""
        figures = self.evaluate(self.data.test)
        for member in members:
            self.courses[member].tested = figures[member]
            if isinstance(self.network, Ensemble):
                self.network.put_aside(member)

    def on_train_end(self) -> None:
        self.make_step = self.step  # a recording and its gradients hold memory that nothing else can have
        self.step.sgd.zero_grad()
        if going := self._going():
            self._test(going)

    @torch.no_grad()
    def evaluate(self, split: Split) -> list[tuple[float, float]]:
        """Each network's mean loss and accuracy (percent) in eval mode; the training mode is restored."""
        training = self.network.training
        self.network.eval()
        for images, labels in self.data.batches(split):
            self.tally.count(self.step.logits(images), labels)
        self.network.train(training)
        return self.tally.take()


class _Chunks:
    """One epoch's chunks, as Lightning wants to iterate over them."""

    def __init__(self, module: MaskedClassifier) -> None:
        self.module = module

    def __len__(self) -> int:
        return self.module.data.chunks()

    def __iter__(self) -> Any:
        return self.module.data.epoch(self.module.current_epoch)
