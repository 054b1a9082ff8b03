"""One optimiser step of one network."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from pruneexp.network.masks import Masks
from pruneexp.network.outputs import logits as logits_of
from pruneexp.network.prunable import classifier
from pruneexp.recipe import Recipe
from pruneexp.training.casts import cast_once
from pruneexp.training.data_parallel import Reduction
from pruneexp.training.device import Device
from pruneexp.training.optimiser import make_optimiser
from pruneexp.training.shadow import Shadow


def losses(logits: torch.Tensor, labels: torch.Tensor, smoothing: float = 0.0, reduction: str = "none") -> torch.Tensor:
    """Cross-entropy of each image [b], or their mean, from logits [b, classes] and labels [b], of mixed images [b, classes].

    In float32, whatever the network's arithmetic (float64 stays).
    """
    exact = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return functional.cross_entropy(exact, labels, reduction=reduction, label_smoothing=smoothing)


class Step:
    """Forward, backward, the optimiser's step, masks.

    After each optimiser step all weights are multiplied by their masks in one foreach operation, so that neither
    momentum nor weight decay brings a pruned weight back. Everything is changed in place, the learning rate of a GPU
    too, and nothing waits for the device: a step can be recorded once and replayed. A parameter that needs no gradient at the start has
    none in any step, and neither momentum nor weight decay moves it.

    Args:
        network: [b, C, H, W] -> logits [b, classes].
        masks: by weight name; empty for a dense network.
        recipe: optimiser and schedule.
        device: precision of the forward and backward pass.
        reduction: of gradients, where other processes have shares of each batch; this one's may be empty.
    """

    def __init__(
        self, network: nn.Module, masks: Masks, recipe: Recipe, device: Device, reduction: Reduction | None = None
    ) -> None:
        self.network, self.recipe, self.device, self.reduction = network, recipe, device, reduction
        self.parameters = dict(network.named_parameters())
        self.trained = {name for name, parameter in self.parameters.items() if parameter.requires_grad}
        self.pruned: list[torch.Tensor] = [self.parameters[name] for name in masks]
        # in the memory layout of their weights, without which a foreach operation is one launch for each
        self.kept = [torch.empty_like(self.parameters[name]).copy_(mask) for name, mask in masks.items()]
        self.instead: Callable[[], None] | None = None  # of the next optimiser step: what uses its gradients otherwise
        self.shadow: Shadow | None = None  # from the first images on
        self.settle()
        # a number would be part of what is recorded
        self.rate = torch.tensor(recipe.lr, device=device.where) if device.where.type == "cuda" else None
        recorded = self.rate is not None and device.graphs
        rate = recipe.lr if self.rate is None else self.rate
        self.optimiser = make_optimiser(self.parameters.values(), recipe, rate, recorded)

    def __call__(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Make one step; the logits [b, classes] before it, of an empty share [0]."""
        self.optimiser.zero_grad(set_to_none=True)
        logits = images.new_empty(0)
        if len(labels):
            if self.shadow is None and self.device.resolved_precision == "bf16":
                self.shadow = Shadow(self.network, cast_once(self.network, images, self.device))
            with self.device.autocast():
                logits = logits_of((self.network if self.shadow is None else self.shadow)(images))
            losses(logits, labels, self.recipe.label_smoothing, "mean").backward()
            if self.shadow is not None:
                self.shadow.hand_over_gradients()
        if self.reduction is not None:
            self.reduction.gradients(self.parameters.values(), len(labels))
        (self.instead or self.optimiser.step)()
        self.settle()
        return logits.detach()

    @torch.no_grad()
    def settle(self) -> None:
        """After the weights have changed: the pruned ones are zero, the shadow is theirs."""
        if self.pruned:
            torch._foreach_mul_(self.pruned, self.kept)
        if self.shadow is not None:
            self.shadow.follow()

    def set_learning_rate(self, rate: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = rate if self.rate is None else self.rate.fill_(rate)

    def freeze(self, frozen: bool) -> None:
        """Keep all but the classifier as it is, BatchNorm statistics too, or let it go: what was trained at the start."""
        head = classifier(self.network)
        for name, parameter in self.parameters.items():
            parameter.requires_grad_(name in self.trained and (not frozen or name.startswith(f"{head}.")))
        for module in self.network.modules():
            if isinstance(module, _BatchNorm):
                module.train(not frozen)


class Counters:
    """BatchNorm's counts of batches, out of the network for an epoch and added to at its end: one launch less for each module and step.

    A module that averages over all batches (momentum=None) needs its count in every step, and keeps it.
    """

    def __init__(self, network: nn.Module | None = None) -> None:
        self.taken = {
            module: module.num_batches_tracked
            for module in (() if network is None else network.modules())
            if isinstance(module, _BatchNorm) and module.training and module.momentum is not None
            if module.num_batches_tracked is not None
        }
        for module in self.taken:
            module.num_batches_tracked = None

    def give_back(self, batches: int) -> None:
        """Put the counts back, so many batches on."""
        for module, count in self.taken.items():
            mean = module.running_mean  # where the module is by now
            module.num_batches_tracked = count.add_(batches).to(count.device if mean is None else mean.device)
        self.taken = {}
