"""Lightning's trainer as every training here uses it: no more than the loop and its callbacks."""

import logging
import resource
import signal
import threading
import warnings
from collections.abc import Sequence

import lightning
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch.strategies import Strategy

from pruneexp.training.device import Device


def fit(
    module: lightning.LightningModule,
    device: Device,
    epochs: int,
    callbacks: Sequence[lightning.Callback] = (),
    strategy: str | Strategy = "auto",
) -> None:
    """Train the module for so many epochs; the global random state is afterwards what it was, and nothing here holds the module."""
    quiet_lightning()
    with warnings.catch_warnings():
        # asking for a CPU where there is a GPU is a choice, so is training in one process where there is Slurm;
        # LeafSpec is between lightning and torch
        warnings.filterwarnings("ignore", ".*`srun` command is available.*")
        warnings.filterwarnings("ignore", ".*LeafSpec.*")
        warnings.filterwarnings("ignore", ".*GPU available but not used.*")
        trainer = lightning.Trainer(
            max_epochs=epochs,
            accelerator=device.where.type,
            devices=device.devices,
            strategy=strategy,
            # Lightning neither starts processes nor, in a Slurm job, requeues it
            plugins=[LightningEnvironment()],
            logger=False,  # each network has its own
            callbacks=[_OwnSignals(), *callbacks],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        try:
            with torch.random.fork_rng(
                [device.where] if device.where.type == "cuda" else []
            ):  # dropout draws from the global stream
                trainer.fit(module)
        finally:
            _release(trainer)


def _release(trainer: lightning.Trainer) -> None:
    """Have the trainer, its strategy and its callbacks let go of the module.

    They and their parts hold one another, and the module with its network, gradients and the optimiser: all would take up memory until
    Python looks for such circles, which may be several networks later.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        for name in ("log", "log_dict"):  # the module's methods, which Lightning has given it
            vars(callback).pop(name, None)
    vars(trainer.strategy).clear()  # what was logged holds it
    vars(trainer).clear()


class _OwnSignals(lightning.Callback):
    """Leaves SIGTERM to whoever had it before.

    Lightning's handler ends a training with exit code 0, and where several processes train, waits for the others, which wait for it.
    """

    def __init__(self) -> None:
        self.before = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self.before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self.before)


def peak_memory(device: Device) -> int:
    """On CUDA the most that this network's training had allocated, on a CPU the process's largest resident size."""
    if device.where.type == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def quiet_lightning() -> None:
    """Lightning's banners about devices are not news in every cell, nor is it news that a signal has come."""
    for name in ("utilities.rank_zero", "accelerators.cuda", "trainer.connectors.signal_connector"):
        logging.getLogger(f"lightning.pytorch.{name}").setLevel(logging.WARNING)
