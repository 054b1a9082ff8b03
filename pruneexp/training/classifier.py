"""The LightningModule: where training is defined."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import lightning
import torch
from torch import nn

from pruneexp.data.resident import Split
from pruneexp.network.outputs import logits as logits_of
from pruneexp.system.signals import check
from pruneexp.training.branch import Branch
from pruneexp.training.cuda_graph import few_launches
from pruneexp.training.device import Device
from pruneexp.training.tally import Tally

Chunk = list[list[Split]]  # of each step the batches, one of each feed


class MaskedClassifier(lightning.LightningModule):
    """Networks trained on cross-entropy, each as if it were alone.

    An epoch of Lightning's is one of every branch that goes on, its own first, fifth or last; a branch that has ended or
    diverged is tested, told, and left out of the next. One Lightning batch is a chunk of many optimiser steps: the
    framework's cost per batch is paid once a chunk, and so is the counting of losses and hits. The host waits for the
    device once an epoch, and once more where there are validation images.

    Args:
        branches: of one data set, recipe and device, so that their epochs are equally many steps; one where there is a reduction.
        device: where they are trained.
        ended: told the number of each branch whose training has ended, and takes over what it leaves.
        since: when the time began that is theirs, as time.perf_counter has it; now unless said.
    """

    def __init__(
        self,
        branches: Sequence[Branch],
        device: Device,
        ended: Callable[[int], None] | None = None,
        since: float | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.branches, self.settings, self.ended = list(branches), device, ended
        self.networks = nn.ModuleList(branch.network for branch in branches)
        self.tally = Tally(len(branches), device.where, branches[0].reduction)
        self.going = list(range(len(branches)))
        self.recorded: object = None  # what `make_steps` was made for
        self.since = time.perf_counter() if since is None else since

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        return [branch.step.optimiser for branch in self.branches]

    def train_dataloader(self) -> "_Chunks":
        return _Chunks(self)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return batch  # it is made there

    def on_train_start(self) -> None:
        self._end_those_done()  # that were interrupted after their last epoch

    def on_train_epoch_start(self) -> None:
        going = [self.branches[number] for number in self.going]
        for branch in going:
            branch.begin_epoch()
        # networks that see the same images in the same order share them
        sources = [(id(branch.data), branch.epoch) for branch in going]
        self.feeds = [list(dict.fromkeys(sources)).index(source) for source in sources]
        # what was recorded trains these networks, and where some are frozen their classifiers alone
        wanted = self.going, self.feeds, [branch.frozen for branch in going]
        if wanted != self.recorded:
            self.make_steps = few_launches([branch.step for branch in going], self.feeds, self.settings)
            self.recorded = wanted

    def epoch(self) -> Iterator[Chunk]:
        """The chunks of the epoch that has begun."""
        first = [self.branches[self.going[self.feeds.index(feed)]] for feed in range(max(self.feeds) + 1)]
        for chunks in zip(*(branch.data.epoch(branch.epoch) for branch in first), strict=True):
            yield [list(batches) for batches in zip(*chunks, strict=True)]

    def training_step(self, chunk: Chunk, _: int) -> None:
        logits = []
        for batches in chunk:
            check()  # a signal whose exception was lost
            for number in self.going:
                self.branches[number].begin_step()
            logits.append(self.make_steps(batches))
        for place, number in enumerate(self.going):
            branch, labels = self.branches[number], [batches[self.feeds[place]][1] for batches in chunk]
            branch.batches += sum(len(some) > 0 for some in labels)
            self.tally.count(
                number, torch.cat([one[place] for one in logits]), torch.cat(labels), branch.recipe.label_smoothing
            )

    def on_train_epoch_end(self) -> None:
        going = [self.branches[number] for number in self.going]
        for branch in going:
            branch.end_epoch()
        trained = self.tally.take()
        held_out = self.evaluate(self.going, "validation") if len(going[0].data.validation[1]) else {}
        for number, branch in zip(self.going, going, strict=True):
            branch.note(*trained[number], *held_out.get(number, ()))
        self._share_time(going)
        self._end_those_done()

    def _end_those_done(self) -> None:
        """Test the branches that have ended, tell of each, and go on with the others; Lightning with none."""
        done = [number for number in self.going if not self.branches[number].going]
        self.going = [number for number in self.going if number not in done]
        if not self.going:
            self._let_go()
            self.trainer.should_stop = True
        if not done:
            return
        for number in done:
            self.branches[number].leave()
        for number, figures in self.evaluate(done, "test").items():
            self.branches[number].course.tested = figures
        self._share_time([self.branches[number] for number in done])
        if self.ended is not None:
            for number in done:
                self.branches[number].closed = True  # first: a signal may come when its record has just been written
                self.ended(number)
        self.since = time.perf_counter()

    def _share_time(self, branches: Sequence[Branch]) -> None:
        """The time since this was last called is the branches', an equal share each."""
        now = time.perf_counter()
        for branch in branches:
            branch.course.seconds += (now - self.since) / len(branches)
        self.since = now

    def _let_go(self) -> None:
        """A recording and its gradients hold memory that nothing else can have."""
        self.make_steps = self.recorded = None  # type: ignore[assignment]
        for branch in self.branches:
            branch.step.optimiser.zero_grad()

    @torch.no_grad()
    def evaluate(self, numbers: Sequence[int], split: str) -> dict[int, tuple[float, float]]:
        """Mean loss and accuracy (percent) on "validation" or "test" images of some of the networks, by number.

        In eval mode and float32, whatever the networks are trained in: in bfloat16 two logits are often equal.
        """
        for number in numbers:
            branch = self.branches[number]
            branch.network.eval()
            for images, labels in branch.data.batches(getattr(branch.data, split)):
                self.tally.count(number, logits_of(branch.network(images)), labels)
        means = self.tally.take()
        return {number: means[number] for number in numbers}


class _Chunks:
    """One epoch's chunks, as Lightning wants to iterate over them."""

    def __init__(self, module: MaskedClassifier) -> None:
        self.module = module

    def __len__(self) -> int:
        return self.module.branches[0].data.chunks()

    def __iter__(self) -> Iterator[Chunk]:
        return self.module.epoch()
