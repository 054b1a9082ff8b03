"""Training as it is mostly written: torchvision's transforms image by image, a DataLoader, Lightning or a loop.

What scripts/bench_training.py measures pruneexp against. Kept as such scripts are, their costs included: masks put on in a
loop after each step, one figure logged each step; nothing is slowed down on purpose.
"""

import time
from collections.abc import Callable, Iterator

import lightning
import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from pruneexp.data.dataset import Dataset as Arrays
from pruneexp.network.masks import Masks
from pruneexp.network.prunable import prunable
from pruneexp.recipe import Recipe

Item = tuple[torch.Tensor, int]


class Pictures(Dataset[Item]):
    """uint8 images [N, 3, H, W], one transformed at a time."""

    def __init__(self, arrays: Arrays, recipe: Recipe) -> None:
        side = arrays.input_shape[1]
        steps: list[Callable[..., object]] = []
        if recipe.resized_crop:
            steps.append(transforms.RandomResizedCrop(side, scale=(0.1, 1.0), ratio=(0.8, 1.25)))
        elif recipe.shift:
            steps.append(transforms.RandomCrop(side, padding=recipe.shift))
        if recipe.flip:
            steps.append(transforms.RandomHorizontalFlip())
        steps += [transforms.ToTensor(), transforms.Normalize(arrays.mean, arrays.std)]
        self.transform = transforms.Compose(steps)
        self.images = np.ascontiguousarray(np.asarray(arrays.train_images).transpose(0, 2, 3, 1))
        self.labels = arrays.train_labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Item:
        return self.transform(Image.fromarray(self.images[index])), int(self.labels[index])


def loader(arrays: Arrays, recipe: Recipe, workers: int) -> "DataLoader[Item]":
    return DataLoader(
        Pictures(arrays, recipe),
        batch_size=recipe.batch_size,
        shuffle=True,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=workers > 0,
        multiprocessing_context="fork" if workers else None,  # Linux's default in a script; here the parent was spawned
    )


class Plain(lightning.LightningModule):
    """Automatic optimisation, a hook for the masks, self.log."""

    def __init__(self, network: nn.Module, masks: Masks, recipe: Recipe) -> None:
        super().__init__()
        self.network, self.masks, self.recipe = network, masks, recipe

    def configure_optimizers(self) -> tuple[list[torch.optim.Optimizer], list[torch.optim.lr_scheduler.LRScheduler]]:
        sgd = _sgd(self.network, self.recipe)
        return [sgd], [torch.optim.lr_scheduler.MultiStepLR(sgd, list(self.recipe.milestones), self.recipe.gamma)]

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], _: int) -> torch.Tensor:
        images, labels = batch
        logits = self.network(images)
        loss = functional.cross_entropy(logits, labels)
        self.log("train/loss", loss, on_step=True, on_epoch=True)
        self.log("train/accuracy", (logits.argmax(dim=1) == labels).float().mean(), on_step=False, on_epoch=True)
        return loss

    def on_train_start(self) -> None:
        self.masks = {name: mask.to(self.device) for name, mask in self.masks.items()}

    def on_train_batch_end(self, *_: object) -> None:
        put_on(self.network, self.masks)


def plain_lightning(
    network: nn.Module,
    masks: Masks,
    recipe: Recipe,
    arrays: Arrays,
    epochs: int,
    workers: int,
    clock: lightning.Callback,
) -> None:
    """(c) Lightning."""
    cuda = torch.cuda.is_available()
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cuda" if cuda else "cpu",
        devices=1,
        precision="bf16-mixed" if cuda else "32-true",
        benchmark=True,
        logger=False,
        callbacks=[clock],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Plain(network, masks, recipe), loader(arrays, recipe, workers))


def plain_loop(
    network: nn.Module, masks: Masks, recipe: Recipe, arrays: Arrays, epochs: int, workers: int
) -> Iterator[float]:
    """(d) PyTorch alone; yields the time after each epoch."""
    cuda = torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    torch.backends.cudnn.benchmark = True
    network.to(device).train()
    masks = {name: mask.to(device) for name, mask in masks.items()}
    sgd = _sgd(network, recipe)
    schedule = torch.optim.lr_scheduler.MultiStepLR(sgd, list(recipe.milestones), recipe.gamma)
    batches = loader(arrays, recipe, workers)
    for _ in range(epochs):
        total, correct = torch.zeros((), device=device), torch.zeros((), device=device)
        for images, labels in batches:
            images, labels = images.to(device, non_blocking=True), labels.to(device, non_blocking=True)
            sgd.zero_grad()
            with torch.autocast(device.type, torch.bfloat16, enabled=cuda):
                logits = network(images)
                loss = functional.cross_entropy(logits, labels)
            loss.backward()
            sgd.step()
            put_on(network, masks)
            total += loss.detach()
            correct += (logits.argmax(dim=1) == labels).sum()
        schedule.step()
        total.item()
        yield time.perf_counter()


@torch.no_grad()
def put_on(network: nn.Module, masks: Masks) -> None:
    weights = prunable(network)
    for name, mask in masks.items():
        weights[name].mul_(mask)


def _sgd(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    return torch.optim.SGD(network.parameters(), recipe.lr, recipe.momentum, weight_decay=recipe.weight_decay)
