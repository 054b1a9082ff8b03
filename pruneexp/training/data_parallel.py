"""One network trained by several devices, each with its share of every batch: Lightning's DDP, one all-reduce a step.

Each device has a process with a copy of network, masks and data. Parameters are equal at the start and get the same
gradient in each step, the mean over the whole batch's images; so they stay equal, and so do the masks. Without
BatchNorm and dropout the result is a single device's up to rounding. With BatchNorm it is not: a device normalises by
the statistics of its own share, as DistributedDataParallel has it, and the running statistics are the mean of all
devices', taken at the end of each epoch. Dropout's draws are each device's own.

DistributedDataParallel itself waits for one backward pass after each forward pass of the module that it wraps, and a
Lightning batch is many steps here. So the module stays unwrapped under Lightning's strategy, and the step adds up its
gradients itself, in one flat tensor and after the backward pass rather than during it.
"""

from collections.abc import Callable, Sequence

import torch
from lightning.pytorch.strategies import DDPStrategy
from torch import distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pruneexp.data.resident import Resident
from pruneexp.network.masks import Masks
from pruneexp.recipe import Recipe
from pruneexp.seeding import stream
from pruneexp.training.classifier import MaskedClassifier
from pruneexp.training.device import Device
from pruneexp.training.step import Step, losses

Tell = Callable[[dict[str, float]], None]


class Unwrapped(DDPStrategy):
    """Lightning's DDP, with a module that looks after its gradients."""

    def configure_ddp(self) -> None:
        pass


def mean_over_processes(sums: Sequence[torch.Tensor], count: float) -> None:
    """In place: each of the sums, added up over all processes, by all their counts; one exchange, none waits for the device."""
    flat = torch.cat([*(one.flatten() for one in sums), sums[0].new_full((1,), count)])
    distributed.all_reduce(flat)
    *parts, total = flat.split([*(one.numel() for one in sums), 1])
    for one, part in zip(sums, parts, strict=True):
        one.copy_((part / total).view_as(one))


class SharedStep(Step):
    """A step on one process's share of a batch, which may be empty; afterwards the parameters are equal in all processes.

    A parameter that the loss does not reach has a gradient of zero, where a single device has none.
    """

    def __call__(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        self.sgd.zero_grad(set_to_none=True)
        logits = images.new_empty(0)
        if len(labels):
            logits = self.logits(images)
            losses(logits, labels, self.recipe.label_smoothing).sum().backward()
        gradients = []
        for parameter in self.parameters.values():
            if parameter.requires_grad:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                gradients.append(parameter.grad)
        mean_over_processes(gradients, len(labels))
        self.sgd.step()
        self.mask()
        return logits.detach()


class SharedClassifier(MaskedClassifier):
    """One process's `MaskedClassifier`; courses and, from each epoch's end on, buffers of BatchNorm are equal in all.

    Args:
        network, masks, recipe, device: as for `MaskedClassifier`.
        data: this process's share (`Resident.shared`).
        tell: called in the first process with each row of the history, those of an interrupted training too.
    """

    step_type = SharedStep

    def __init__(
        self, network: nn.Module, masks: Masks, recipe: Recipe, data: Resident, device: Device, tell: Tell
    ) -> None:
        super().__init__(network, masks, recipe, data, device)
        self.tell, self.told = tell, 0

    def on_train_epoch_start(self) -> None:
        super().on_train_epoch_start()
        torch.manual_seed(stream(self.data.seed, "dropout", self.current_epoch, self.data.rank).initial_seed())

    @torch.no_grad()
    def on_train_epoch_end(self) -> None:
        running = [
            buffer
            for module in self.network.modules()
            if isinstance(module, _BatchNorm) and module.training  # frozen ones are equal
            for buffer in (module.running_mean, module.running_var)
            if buffer is not None
        ]
        if running:
            mean_over_processes(running, 1)
        super().on_train_epoch_end()
        if self.data.rank == 0:
            for row in self.history[self.told :]:
                self.tell(row)
            self.told = len(self.history)

    def _take_totals(self) -> list[tuple[float, float]]:
        images = torch.tensor(self.images, device=self.totals.device)
        for total in (self.totals, images):
            distributed.all_reduce(total)
        self.images = int(images)
        return super()._take_totals()
