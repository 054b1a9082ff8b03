"""One optimiser step, of one network or of several at once."""

import torch
from torch import nn
from torch.nn import functional

from pruneexp.network.masks import Masks
from pruneexp.network.prunable import classifier
from pruneexp.recipe import Recipe
from pruneexp.training.data_parallel import Reduction
from pruneexp.training.device import Device
from pruneexp.training.ensemble import Ensemble


def losses(logits: torch.Tensor, labels: torch.Tensor, smoothing: float = 0.0) -> torch.Tensor:
    """Cross-entropy of each network and image [members, b], from logits [members, b, classes] and labels [b].

    In float32, whatever the network's arithmetic (float64 stays).
    """
    exact = logits.to(torch.promote_types(logits.dtype, torch.float32)).flatten(0, 1)
    each = functional.cross_entropy(exact, labels.repeat(len(logits)), reduction="none", label_smoothing=smoothing)
    return each.view(len(logits), -1)


class Step:
    """Forward, backward, SGD with momentum and weight decay, masks.

    After each optimiser step all weights are multiplied by their masks in one foreach operation, so that neither
    momentum nor weight decay brings a pruned weight back. Everything is changed in place, the learning rate of a GPU
    too, and nothing waits for the device: a step can be recorded once and replayed.

    Args:
        network: [b, C, H, W] -> logits [b, classes]; or an `Ensemble`, -> [members, b, classes]. A network's weights
            are independent of the others', so that the sum of all losses gives each the gradient of its own.
        masks: by weight name, of an ensemble's stacked weights [members, ...]; empty for a dense network.
        recipe: optimiser and schedule.
        device: precision of the forward and backward pass.
        reduction: of gradients, where other processes have shares of each batch; this one's may be empty.
    """

    def __init__(
        self, network: nn.Module, masks: Masks, recipe: Recipe, device: Device, reduction: Reduction | None = None
    ) -> None:
        self.network, self.recipe, self.device, self.reduction = network, recipe, device, reduction
        self.plain = network.structure if isinstance(network, Ensemble) else network
        self.parameters = dict(network.named_parameters())
        self.pruned: list[torch.Tensor] = [self.parameters[name] for name in masks]
        self.kept = [mask.to(device.where, self.parameters[name].dtype) for name, mask in masks.items()]
        self.mask()
        # a number would be part of what is recorded
        self.rate = torch.tensor(recipe.lr, device=device.where) if device.where.type == "cuda" else None
        self.sgd = torch.optim.SGD(
            self.parameters.values(),
            lr=recipe.lr if self.rate is None else self.rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            fused=True,
        )
        for parameter in self.parameters.values() if recipe.momentum else ():
            # there from the start: the fused step takes no mixture of old and new ones, which frozen epochs would make
            self.sgd.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)

    def __call__(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Make one step; the logits [members, b, classes] before it, of an empty share [0]."""
        self.sgd.zero_grad(set_to_none=True)
        logits = images.new_empty(0)
        if len(labels):
            logits = self.logits(images)
            losses(logits, labels, self.recipe.label_smoothing).mean(dim=1).sum().backward()
        if self.reduction is not None:
            self.reduction.gradients(self.parameters.values(), len(labels))
        self.sgd.step()
        self.mask()
        return logits.detach()

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """[members, b, classes]."""
        with self.device.autocast():
            logits = self.network(images)
        return logits if isinstance(self.network, Ensemble) else logits[None]

    @torch.no_grad()
    def mask(self) -> None:
        """Set the pruned weights to zero."""
        if self.pruned:
            torch._foreach_mul_(self.pruned, self.kept)

    def set_learning_rate(self, rate: float) -> None:
        for group in self.sgd.param_groups:
            group["lr"] = rate if self.rate is None else self.rate.fill_(rate)

    def freeze(self, frozen: bool) -> None:
        """Keep all but the classifier as it is, BatchNorm statistics too, or let it go."""
        head = classifier(self.plain)
        for name, parameter in self.parameters.items():
            parameter.requires_grad_(not frozen or name.startswith(f"{head}."))
        for module in self.plain.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                module.train(not frozen)
