"""The processes of a training on several devices, one for each: started, watched and ended here."""

import contextlib
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import distributed, nn

from pruneexp.data.resident import Resident
from pruneexp.network.masks import Masks
from pruneexp.recipe import Recipe
from pruneexp.training.classifier import Course
from pruneexp.training.data_parallel import SharedClassifier, Tell, Unwrapped
from pruneexp.training.device import Device
from pruneexp.training.fit import fit, peak_memory, quiet_lightning


@dataclass
class Work:
    """What each process is given, in a file."""

    network: nn.Module
    masks: Masks
    recipe: Recipe
    data: Resident
    device: Device
    callbacks: list[lightning.Callback]
    epochs: int


@dataclass
class Outcome:
    """What the first process leaves, in a file."""

    network: dict[str, torch.Tensor]
    courses: list[Course]
    callbacks: list[dict[str, Any]]
    peak_memory_bytes: int


class RankFailed(RuntimeError):  # noqa: N818
    """A process ended before its training; the message holds what it raised."""


def fit_on_devices(work: Work, tell: Tell) -> Outcome:
    """Train in `work.device.devices` processes; the network is left as it was, the outcome has its state.

    Where a process hangs, the others fail at torch's time limit: ten minutes on CUDA, half an hour on a CPU.

    The processes get copies of the callbacks, which must go through pickle as the network must; each callback here gets
    the `state_dict` of the first process's.

    Args:
        work: everything on this process's device.
        tell: called here with each row of the history.

    Raises:
        RankFailed: a process failed or was killed; the others have been ended.
        OSError: no room for the files.
    """
    context = _context(work.device)
    device = replace(work.device, threads=work.device.threads_each, graphs=False)
    with tempfile.TemporaryDirectory(prefix="pruneexp-") as name:
        folder = Path(name)
        torch.save(replace(work, device=device), folder / "work")
        told, telling = context.Pipe(duplex=False)
        ranks: list[BaseProcess] = []
        try:
            for rank in range(device.devices):
                ranks.append(context.Process(target=_run, args=(rank, device, folder, telling), daemon=True))
                ranks[-1].start()
            telling.close()
            _watch(ranks, told, tell, folder / "error")
        finally:
            told.close()
            for process in ranks:
                if process.pid is not None:
                    process.kill()  # a process that waits for another would not heed a milder signal
                    process.join()
        outcome: Outcome = torch.load(folder / "result", map_location="cpu", weights_only=False)
    for callback, state in zip(work.callbacks, outcome.callbacks, strict=True):
        callback.load_state_dict(state)
    return outcome


def _context(device: Device) -> ForkServerContext | SpawnContext:
    """How processes are started, each with a Python of its own.

    On a CPU they are forked from one that has imported everything and done nothing; on CUDA, where an import that
    counts the devices would spoil that one, they start from nothing.
    """
    if device.where.type == "cuda":
        return multiprocessing.get_context("spawn")
    multiprocessing.set_forkserver_preload([__name__])
    return multiprocessing.get_context("forkserver")


def _watch(ranks: Sequence[BaseProcess], told: Connection, tell: Tell, error: Path) -> None:
    """Pass on what is told until all have ended well, or one has not."""
    running = {process.sentinel: number for number, process in enumerate(ranks)}
    while running:
        ready = wait([told, *running])
        with contextlib.suppress(EOFError):  # all have gone
            while told.poll():
                tell(told.recv())
        for sentinel in ready:
            if isinstance(sentinel, int):
                number = running.pop(sentinel)
                ranks[number].join()
                if code := ranks[number].exitcode:
                    why = error.read_text() if error.exists() else f"process {number} ended with exit code {code}."
                    raise RankFailed(f"of {len(ranks)} processes that train a network, {why}")


def _run(rank: int, device: Device, folder: Path, telling: Connection) -> None:
    """One process, from start to end."""
    threading.Thread(target=_end_with_parent, args=(folder,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process
    code = 1
    try:
        _train(rank, device, folder, telling.send)
        code = 0
    except BaseException:
        with contextlib.suppress(FileExistsError), (folder / "error").open("x") as file:  # the first is the cause
            file.write(f"process {rank} failed:\n{traceback.format_exc()}")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # whatever its libraries' threads are waiting for


def _end_with_parent(folder: Path) -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def _train(rank: int, device: Device, folder: Path, tell: Tell) -> None:
    quiet_lightning()
    device.prepare()
    where = device.where
    if where.type == "cuda":
        where = torch.device("cuda", rank)
        torch.cuda.set_device(where)
    # on a CPU all processes share the images' memory
    work: Work = torch.load(folder / "work", map_location=where, mmap=True, weights_only=False)
    # Lightning's names; it leaves a process group that is there as it is, and threads that are said
    os.environ.update(LOCAL_RANK=str(rank), NODE_RANK="0", OMP_NUM_THREADS=str(torch.get_num_threads()))
    if "lo" in (name for _, name in socket.if_nameindex()):
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    nccl = where.type == "cuda" and distributed.is_nccl_available()
    # they meet in a file: a port could be taken by another training
    distributed.init_process_group(
        "nccl" if nccl else "gloo",
        store=distributed.FileStore(str(folder / "store"), device.devices),  # type: ignore[attr-defined]
        rank=rank,
        world_size=device.devices,
        device_id=where if nccl else None,
    )
    data = work.data.shared(rank, device.devices, where)
    module = SharedClassifier(work.network, work.masks, work.recipe, data, device, tell)
    fit(module, device, work.epochs, callbacks=work.callbacks, strategy=Unwrapped())
    if rank == 0:
        states = [callback.state_dict() for callback in work.callbacks]
        outcome = Outcome(work.network.state_dict(), module.courses, states, peak_memory(device))
        torch.save(outcome, folder / "result")
