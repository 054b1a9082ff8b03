"""The LightningModule: where training is defined."""

import math
from typing import Any

import lightning
import torch
from torch import nn
from torch.nn import functional

from pruneexp.layers import classifier, prunable
from pruneexp.masks import Masks, apply_masks
from pruneexp.seeding import stream
from pruneexp.training.device import Device
from pruneexp.training.recipe import Recipe
from pruneexp.training.resident import Resident, Split


class MaskedClassifier(lightning.LightningModule):
    """A network trained on cross-entropy whose pruned weights are exactly zero at every forward pass.

    After each optimiser step all weights are multiplied by their masks in one foreach operation, so that neither
    momentum nor weight decay brings a pruned weight back. One Lightning batch is a chunk of many optimiser steps: the
    framework's cost per batch is paid once a chunk.

    Args:
        network: [b, C, H, W] -> logits [b, classes]; trained in place.
        masks: by weight name; empty for the dense network.
        recipe: optimiser and schedule.
        data: the batches.
        device: precision and memory layout.

    After the fit, `history` has one row for each epoch and `tested` the loss and accuracy on the test images.
    """

    def __init__(self, network: nn.Module, masks: Masks, recipe: Recipe, data: Resident, device: Device) -> None:
        super().__init__()
        self.automatic_optimization = False
        # channels-last convolutions are the fast ones, on tensor cores and on a CPU
        self.network: nn.Module = network.to(device.where).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        apply_masks(network, masks)
        weights = prunable(network)
        self.pruned: list[torch.Tensor] = [weights[name] for name in masks]
        self.kept: list[torch.Tensor] = [mask.to(device.where, weights[name].dtype) for name, mask in masks.items()]
        self.recipe, self.data, self.settings = recipe, data, device
        self.totals = torch.zeros(3, dtype=torch.float64, device=device.where)  # loss, correct, images
        self.sgd: torch.optim.SGD | None = None
        self.diverged = False
        self.history: list[dict[str, float]] = []
        self.tested = (math.nan, math.nan)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        self.sgd = torch.optim.SGD(
            self.network.parameters(),
            lr=self.recipe.lr,
            momentum=self.recipe.momentum,
            weight_decay=self.recipe.weight_decay,
            fused=True,
        )
        if (
            self.recipe.frozen_epochs and self.recipe.momentum
        ):  # a fused step wants the momentum of all weights or of none
            for parameter in self.network.parameters():
                self.sgd.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        return self.sgd

    def train_dataloader(self) -> "_Chunks":
        return _Chunks(self)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return batch  # it is made there

    def on_train_epoch_start(self) -> None:
        assert self.sgd is not None
        for group in self.sgd.param_groups:
            group["lr"] = self.recipe.learning_rate(self.current_epoch)
        if self.recipe.frozen_epochs:
            self._freeze(self.current_epoch < self.recipe.frozen_epochs)
        torch.manual_seed(stream(self.data.seed, "dropout", self.current_epoch).initial_seed())
        self.totals.zero_()

    def _freeze(self, frozen: bool) -> None:
        """Keep all but the classifier as it is, BatchNorm statistics too, or let it go."""
        assert self.sgd is not None
        head = classifier(self.network)
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad_(not frozen or name.startswith(f"{head}."))
            # the fused step takes buffers from all that it moves or from none: a zero one is as none
            self.sgd.state[parameter].setdefault("momentum_buffer", torch.zeros_like(parameter))
        for module in self.network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.train(not frozen)

    def training_step(self, chunk: list[Split], _: int) -> None:
        for images, labels in chunk:
            self.step(images, labels)

    def step(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        """One optimiser step; synchronises nothing."""
        assert self.sgd is not None
        self.sgd.zero_grad(set_to_none=True)
        loss, correct = self._loss(images, labels, self.recipe.label_smoothing)
        loss.backward()
        self.sgd.step()
        if self.pruned:
            with torch.no_grad():
                torch._foreach_mul_(self.pruned, self.kept)
        self._count(loss, correct, len(labels))

    def _loss(
        self, images: torch.Tensor, labels: torch.Tensor, smoothing: float = 0.0
    ) -> tuple[torch.Tensor, torch.Tensor]:
        # autocast is entered anew for each step: it keeps the weights' casts, and steps must not share them
        with self.settings.autocast():
            logits = self.network(images)
        loss = functional.cross_entropy(logits.float(), labels, label_smoothing=smoothing)
        return loss, (logits.argmax(dim=1) == labels).sum()

    def _count(self, loss: torch.Tensor, correct: torch.Tensor, images: int) -> None:
        self.totals[0] += loss.detach().double() * images
        self.totals[1] += correct
        self.totals[2] += images

    def _take_totals(self) -> tuple[float, float]:
        """Mean loss and accuracy (percent) since the totals were last taken."""
        loss, correct, images = self.totals.tolist()
        self.totals.zero_()
        return loss / images, 100 * correct / images

    def on_train_epoch_end(self) -> None:
        loss, accuracy = self._take_totals()
        row = {"train/loss": loss, "train/accuracy": accuracy}
        row["learning_rate"] = self.recipe.learning_rate(self.current_epoch)
        if len(self.data.validation[1]):
            row["validation/loss"], row["validation/accuracy"] = self.evaluate(self.data.validation)
        self.log_dict(row)
        self.history.append({"epoch": self.current_epoch, **row})
        if not math.isfinite(loss):
            self.diverged = True
            self.trainer.should_stop = True

    def on_train_end(self) -> None:
        self.tested = self.evaluate(self.data.test)

    @torch.no_grad()
    def evaluate(self, split: Split) -> tuple[float, float]:
        """Mean loss and accuracy (percent) of the network in eval mode; the training mode is restored."""
        training = self.network.training
        self.network.eval()
        self.totals.zero_()
        for images, labels in self.data.batches(split):
            loss, correct = self._loss(images, labels)
            self._count(loss, correct, len(labels))
        self.network.train(training)
        return self._take_totals()


class _Chunks:
    """One epoch's chunks, as Lightning wants to iterate over them."""

    def __init__(self, module: MaskedClassifier) -> None:
        self.module = module

    def __len__(self) -> int:
        return self.module.data.chunks()

    def __iter__(self) -> Any:
        return self.module.data.epoch(self.module.current_epoch)
