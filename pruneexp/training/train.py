"""Train masked networks and test each once, at the end."""

import logging
import math
import resource
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import lightning
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch.loggers import Logger
from torch import nn

from pruneexp.layers import prunable
from pruneexp.masks import Masks, check
from pruneexp.training.classifier import MaskedClassifier
from pruneexp.training.device import Device
from pruneexp.training.ensemble import Ensemble, stack_masks
from pruneexp.training.recipe import Recipe
from pruneexp.training.resident import Resident


@dataclass
class Trained:
    """What training leaves: figures of the last epoch, and one row for each epoch."""

    accuracy: float  # percent, of the test images
    loss: float  # mean cross-entropy of the test images
    diverged: bool  # the training loss stopped being finite
    seconds: float
    peak_memory_bytes: int
    history: list[dict[str, float]] = field(default_factory=list)


def train(
    network: nn.Module,
    masks: Masks,
    recipe: Recipe,
    data: Resident,
    device: Device,
    loggers: Sequence[Logger] = (),
    callbacks: Sequence[lightning.Callback] = (),
    epochs: int | None = None,
) -> Trained:
    """Train `network` in place under `masks` by `recipe`; test accuracy is the last epoch's, on the test images.

    With `epochs` it stops after so many of the recipe's. A loss that stops being finite ends the training early and is
    reported as diverged, with the accuracy the network then has.
    """
    return train_together([network], [masks], recipe, data, device, loggers, callbacks, epochs)[0]


def train_together(
    networks: Sequence[nn.Module],
    masks: Sequence[Masks],
    recipe: Recipe,
    data: Resident,
    device: Device,
    loggers: Sequence[Logger] = (),
    callbacks: Sequence[lightning.Callback] = (),
    epochs: int | None = None,
) -> list[Trained]:
    """Train several networks of one architecture, each in place under its masks, as `train` would one after another.

    More than one are trained as an `Ensemble`; loggers are for one network. Each is reported with its share of the
    seconds, and with the memory of all.
    """
    start = time.perf_counter()
    if device.where.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    for network, some in zip(networks, masks, strict=True):
        check(prunable(network), some)
        # channels-last convolutions are the fast ones, on tensor cores and on a CPU
        network.to(device.where).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    several = len(networks) > 1
    trained = Ensemble(networks) if several else networks[0]
    module = MaskedClassifier(trained, stack_masks(masks) if several else masks[0], recipe, data, device)
    with warnings.catch_warnings():
        # asking for a CPU where there is a GPU is a choice, so is training in one process where there is Slurm, and
        # LeafSpec is between lightning and torch
        warnings.filterwarnings("ignore", ".*`srun` command is available.*")
        warnings.filterwarnings("ignore", ".*LeafSpec.*")
        warnings.filterwarnings("ignore", ".*GPU available but not used.*")
        trainer = lightning.Trainer(
            max_epochs=epochs or recipe.epochs,
            accelerator=device.where.type,
            devices=1,
            # a process is alone, in a Slurm job too, which Lightning would otherwise requeue itself
            plugins=[LightningEnvironment()],
            logger=list(loggers) or False,
            callbacks=list(callbacks),
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            log_every_n_steps=1,
        )
        with torch.random.fork_rng(
            [device.where] if device.where.type == "cuda" else []
        ):  # dropout draws from the global stream
            trainer.fit(module)
    if isinstance(trained, Ensemble):
        trained.copy_to(networks)
    return [
        Trained(
            accuracy=course.tested[1],
            loss=course.tested[0],
            diverged=course.diverged or not math.isfinite(course.tested[0]),
            seconds=(time.perf_counter() - start) / len(networks),
            peak_memory_bytes=_peak_memory(device),
            history=course.history,
        )
        for course in module.courses
    ]


def _peak_memory(device: Device) -> int:
    """On CUDA the most that this network's training had allocated, on a CPU the process's largest resident size."""
    if device.where.type == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def quiet_lightning() -> None:
    """Lightning's banners about devices are not news in every cell."""
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.pytorch.accelerators.cuda"):
        logging.getLogger(name).setLevel(logging.WARNING)
