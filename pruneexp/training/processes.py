"""The processes of a training on several devices, one for each: started, watched and ended here."""

import contextlib
import errno
import io
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from pruneexp.system.console import write_whatever
from pruneexp.system.files import no_room, write
from pruneexp.system.signals import GRACE, Stopped, heeded
from pruneexp.training.device import Device

NO_ROOM = (
    74  # the exit code of a process that cannot leave what it has to: an error in a file would have no room either
)
LEAVE = signal.SIGUSR1  # has the first process leave its last epoch's state, and end
Tell = Callable[[Any], None]
Part = Callable[[int, Device, Path, Tell], Any]


class RankFailed(RuntimeError):  # noqa: N818
    """A process ended before its work; the message holds what it raised."""


def in_processes(part: Part, device: Device, work: Any, tell: Tell) -> Any:
    """Call `part` in `device.devices` processes at once; what it returns in the first, on the CPU.

    Args:
        part: a module's function, which takes the process's number, the device, a folder that all share and that is
            deleted afterwards, and a function whose argument is told here.
        work: in the folder's file ``work``, as torch.save writes it.
        tell: called here with all that they tell.

    Raises:
        RankFailed: a process failed or was killed; the others have been ended.
        OSError: no room for the files.
    """
    context = _context(device, part.__module__)
    with tempfile.TemporaryDirectory(prefix="pruneexp-") as name:
        folder = Path(name)
        _save(work, folder / "work")
        told, telling = context.Pipe(duplex=False)
        ranks: list[BaseProcess] = []
        try:
            with _deaf():
                for rank in range(device.devices):
                    ranks.append(context.Process(target=_run, args=(part, rank, device, folder, telling), daemon=True))
                    ranks[-1].start()
            telling.close()
            _watch(ranks, told, tell, folder / "error")
        except Stopped:
            if ranks and (number := ranks[0].pid) is not None:
                os.kill(number, LEAVE)  # for which it needs the others
                ranks[0].join(GRACE)
            raise
        finally:
            told.close()
            for process in ranks:
                if process.pid is not None:
                    process.kill()  # a process that waits for another would not heed a milder signal
                    process.join()
        return torch.load(folder / "result", map_location="cpu", weights_only=False)


def _save(what: Any, path: Path) -> None:
    """As torch.save, whose own error does not tell why the disk took only a part.

    Raises:
        OSError: it cannot be written.
    """
    content = io.BytesIO()
    torch.save(what, content)
    write(path, content.getbuffer())


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Processes that are started in the block hear neither SIGTERM nor Slurm's notice, which all processes of a job get: the one that
    starts the others would end at once, and the first be killed with it before it has left anything."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR2})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _context(device: Device, module: str) -> ForkServerContext | SpawnContext:
    """How processes are started, each with a Python of its own.

    On a CPU they are forked from one that has imported the module and done nothing; on CUDA, where an import that
    counts the devices would spoil that one, they start from nothing.
    """
    if device.where.type == "cuda":
        return multiprocessing.get_context("spawn")
    multiprocessing.set_forkserver_preload([module])
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
                if ranks[number].exitcode == NO_ROOM:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(error.parent))
                if code := ranks[number].exitcode:
                    # empty while another process, which has met the end of this one, is about to write it
                    why = error.read_text(encoding="utf-8") if error.exists() else ""
                    why = why or f"process {number} ended with exit code {code}."
                    raise RankFailed(f"of {len(ranks)} processes that train a network, {why}")


def _run(part: Part, rank: int, device: Device, folder: Path, telling: Connection) -> None:
    """One process, from start to end."""
    threading.Thread(target=_end_with_parent, args=(folder,), daemon=True).start()
    for number in (signal.SIGINT, signal.SIGTERM):  # for the parent, which ends these processes
        signal.signal(number, signal.SIG_IGN)
    code = 1
    write_whatever()
    try:
        with heeded(again=False, also=[] if rank else [LEAVE]):
            result = part(rank, device, folder, telling.send)
        if rank == 0:
            _save(result, folder / "result")
        code = 0
    except Stopped as stopped:
        code = stopped.code
    except BaseException as error:
        code = NO_ROOM if isinstance(error, OSError) and no_room(error) else 1
        with (
            contextlib.suppress(OSError),
            (folder / "error").open("x", encoding="utf-8") as file,
        ):  # the first is the cause
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
