"""One network trained by several devices, each with its share of every batch: Lightning's DDP, one all-reduce a step.

Each device has a process with a copy of network, masks and data. Parameters are equal at the start and get the same
gradient in each step, the mean over the whole batch's images; so they stay equal, and so do the masks. Without
BatchNorm and dropout the result is a single device's up to rounding. With BatchNorm it is not: a device normalises by
the statistics of its own share, as DistributedDataParallel has it, and the running statistics are the mean of all
devices', taken at the end of each epoch. Dropout's draws are each device's own.

DistributedDataParallel itself waits for one backward pass after each forward pass of the module that it wraps, and a
Lightning batch is many steps here. So the module stays unwrapped under Lightning's strategy, and the step is given a
`Reduction`, which adds up its gradients in one flat tensor, after the backward pass rather than during it.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm


class Reduction:
    """What the processes of one training exchange: each of them makes the same calls in the same order.

    Everything is changed in place, to the same numbers in all processes, and nothing waits for the device.
    """

    def gradients(self, parameters: Iterable[nn.Parameter], images: int) -> None:
        """Make the gradients those of the mean loss over the images of all processes.

        A parameter that no loss reaches gets a gradient of zero, where a single device has none.

        Args:
            parameters: with the gradients of the mean loss over this process's images; without any, where it has none.
            images: of this process.
        """
        gradients = []
        for parameter in parameters:
            if parameter.requires_grad:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                gradients.append(parameter.grad)
        self._mean(gradients, images)

    def statistics(self, network: nn.Module) -> None:
        """Make BatchNorm's running statistics the mean of all processes'; those of frozen modules are equal as they are."""
        modules = [module for module in network.modules() if isinstance(module, _BatchNorm) and module.training]
        running = [value for module in modules for value in (module.running_mean, module.running_var)]
        self._mean([value for value in running if value is not None], 1)

    def sum(self, totals: torch.Tensor) -> None:
        """Add up all processes' totals."""
        distributed.all_reduce(totals)

    def _mean(self, values: Sequence[torch.Tensor], weight: int) -> None:
        """The mean of each of the values over the processes, in which each has its weight; one exchange."""
        if not values:
            return
        flat = torch.cat([*(value.flatten() for value in values), values[0].new_ones(1)]) * weight
        self.sum(flat)
        *parts, total = flat.split([*(value.numel() for value in values), 1])
        for value, part in zip(values, parts, strict=True):
            value.copy_((part / total).view_as(value))
