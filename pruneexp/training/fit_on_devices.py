"""A network's training on several devices (`pruneexp.training.data_parallel`), a process for each."""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.loggers import Logger
from lightning.pytorch.strategies import DDPStrategy
from torch import distributed, nn

from pruneexp.data.resident import Resident
from pruneexp.mask_updates.update import MaskUpdate
from pruneexp.network.masks import Masks
from pruneexp.recipe import Recipe
from pruneexp.training.branch import Branch, Course
from pruneexp.training.classifier import MaskedClassifier
from pruneexp.training.data_parallel import Reduction
from pruneexp.training.device import Device
from pruneexp.training.fit import fit, peak_memory
from pruneexp.training.processes import Tell, in_processes
from pruneexp.training.selection import Selection


@dataclass
class Work:
    """What each process is given."""

    network: nn.Module
    masks: Masks
    recipe: Recipe
    data: Resident
    device: Device
    callbacks: Sequence[lightning.Callback]
    epochs: int
    start: int
    selection: Selection
    update: MaskUpdate | None = None


@dataclass
class Outcome:
    """What the first process leaves."""

    network: dict[str, torch.Tensor]
    course: Course
    callbacks: list[dict[str, Any]]
    peak_memory_bytes: int


class Unwrapped(DDPStrategy):
    """Lightning's DDP, with a module that looks after its gradients."""

    def configure_ddp(self) -> None:
        pass


class Relay(Logger):
    """Tells the process that has the loggers what they are to log."""

    name = version = None

    def __init__(self, tell: Tell) -> None:
        self.tell = tell

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.tell((metrics, step))

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        pass


def fit_on_devices(work: Work, loggers: Sequence[Logger]) -> Outcome:
    """Train `work.network` in place in `work.device.devices` processes.

    Where a process hangs, the others fail at torch's time limit: ten minutes on CUDA, half an hour on a CPU.

    The processes get copies of the callbacks, which must go through pickle as the network must; each callback here gets
    the `state_dict` of the first process's.

    Args:
        work: everything on this process's device.
        loggers: they stay in this process.

    Raises:
        RankFailed: a process failed or was killed; the others have been ended.
        OSError: no room for the files.
    """

    def log(row: tuple[dict[str, float], int | None]) -> None:
        for logger in loggers:
            logger.log_metrics(*row)

    device = replace(work.device, threads=work.device.threads_each, graphs=False)
    outcome: Outcome = in_processes(_train, device, replace(work, device=device), log)
    work.network.load_state_dict(outcome.network)
    work.network.cpu()  # where Lightning leaves it
    for callback, state in zip(work.callbacks, outcome.callbacks, strict=True):
        callback.load_state_dict(state)
    return outcome


def _train(rank: int, device: Device, folder: Path, tell: Tell) -> Outcome:
    """One process's part: the training of its copy of the network on its share of the data."""
    device.prepare()
    where = device.where
    if where.type == "cuda":
        where = torch.device("cuda", rank)
        torch.cuda.set_device(where)
    # on a CPU all processes share the images' memory
    work: Work = torch.load(folder / "work", map_location=where, mmap=True, weights_only=False)
    _meet(rank, device.devices, where, folder)
    data = work.data.shared(rank, device.devices, where)
    loggers = [Relay(tell)] if rank == 0 else []
    part, stretch = (data, device, loggers), (work.epochs, work.start)
    branch = Branch(work.network, work.masks, work.recipe, *part, *stretch, Reduction(), work.selection, work.update)
    fit(MaskedClassifier([branch], device), device, work.epochs, work.callbacks, strategy=Unwrapped())
    states = [callback.state_dict() for callback in work.callbacks]
    return Outcome(work.network.state_dict(), branch.course, states, peak_memory(device))


def _meet(rank: int, ranks: int, where: torch.device, folder: Path) -> None:
    """Make this process one of a group, which Lightning takes as it finds it."""
    # Lightning's names; it leaves threads that are said as they are
    os.environ.update(LOCAL_RANK=str(rank), NODE_RANK="0", OMP_NUM_THREADS=str(torch.get_num_threads()))
    if "lo" in (name for _, name in socket.if_nameindex()):
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    nccl = where.type == "cuda" and distributed.is_nccl_available()
    # they meet in a file: a port could be taken by another training
    distributed.init_process_group(
        "nccl" if nccl else "gloo",
        store=distributed.FileStore(str(folder / "store"), ranks),  # type: ignore[attr-defined]
        rank=rank,
        world_size=ranks,
        device_id=where if nccl else None,
    )
