"""One worker process for each GPU of this machine; jobs, or bundles of them, are handed out as workers become free."""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Annotated, Literal

from pydantic import Field

from pruneexp.components.options import component
from pruneexp.errors import UserError
from pruneexp.failures import Failure
from pruneexp.launchers.bundle import Bundle, bundles
from pruneexp.launchers.task import Outcome, Report, Task
from pruneexp.records.store import Store
from pruneexp.system.console import PASSED_ON, terminal_width
from pruneexp.system.signals import Stopped, end_in_order
from pruneexp.worklist import TimeLeft

ATTEMPTS = 2  # a worker may be killed by accident once; a job that kills every worker ends here
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Worker:
    """A worker process, alone with its device; its output is passed on line by line, with the device's number.

    Args:
        number: of the device.
        visible: what CUDA_VISIBLE_DEVICES says in the process; empty for a CPU.
        workers: how many there are.
    """

    def __init__(self, number: int, visible: str, workers: int) -> None:
        cores = len(os.sched_getaffinity(0))
        environment = dict.fromkeys(THREADS, str(max(1, cores // workers))) | os.environ | {"PYTHONIOENCODING": "utf-8"}
        environment["CUDA_VISIBLE_DEVICES"] = visible
        prefix = f"[{number}] "
        if (width := terminal_width()) is not None:
            environment[PASSED_ON] = str(width - len(prefix))
        incoming, outgoing = os.pipe()
        # a session of its own: Ctrl-C reaches this process alone, which ends its workers
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "pruneexp.launchers.gpu_worker", str(outgoing)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="backslashreplace",  # of a library's own words
            pass_fds=[outgoing],
            start_new_session=True,
        )
        os.close(outgoing)
        self.replies = os.fdopen(incoming, encoding="utf-8")
        assert self.process.stdout is not None
        self.output = threading.Thread(target=_pass_on, args=(self.process.stdout, prefix), daemon=True)
        self.output.start()

    def run(self, bundle: Bundle) -> Outcome | None:
        """How the bundle ended; None if the process died of it."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died while idle, or will not answer
            print(json.dumps(dataclasses.asdict(bundle)), file=self.process.stdin, flush=True)
        answer = self.replies.readline()
        if not answer:
            return None
        plain = json.loads(answer)
        return Outcome(tuple(Failure(**one) for one in plain["failures"]), plain["stopped"])

    def end(self, read: bool = False) -> None:
        """End the process, whatever it does.

        Args:
            read: whether a thread may still read what it answers.
        """
        self.process.kill()
        self.process.wait()
        self.output.join(timeout=5)  # a process it has started might still hold its output
        if not (read or self.output.is_alive()):
            for stream in (self.replies, self.process.stdin, self.process.stdout):
                with contextlib.suppress(OSError):
                    if stream is not None:
                        stream.close()


def _pass_on(output: IO[str], prefix: str) -> None:
    for line in output:
        _tell(prefix + line.removesuffix("\n"))


def _tell(line: str) -> None:
    """The line and its end at once: several threads write."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@component("launcher", name="gpus")
@dataclass(frozen=True)
class Gpus:
    """Runs jobs on all GPUs of this machine.

    Attributes:
        devices: ``auto`` (every visible GPU) or how many of them; without a GPU, so many workers on the CPU.
    """

    devices: Literal["auto"] | Annotated[int, Field(ge=1, le=1024)] = "auto"

    def __post_init__(self) -> None:
        self.visible()

    def visible(self) -> list[str]:
        """CUDA_VISIBLE_DEVICES of each worker.

        Raises:
            UserError: there are not so many GPUs.
        """
        import torch

        count = torch.cuda.device_count()
        named = os.environ.get("CUDA_VISIBLE_DEVICES")
        gpus = named.split(",")[:count] if named else [str(k) for k in range(count)]
        if not gpus and self.devices == "auto":
            raise UserError(
                "launcher.devices=auto, and torch sees no CUDA GPU here: launcher.devices=N runs N workers on the CPU."
            )
        if not gpus:
            return [""] * int(self.devices)
        if self.devices != "auto" and int(self.devices) > len(gpus):
            raise UserError(f"launcher.devices={self.devices}, and torch sees {len(gpus)} CUDA GPUs here.")
        return gpus if self.devices == "auto" else gpus[: int(self.devices)]

    def launch(self, tasks: Sequence[Task], folder: str) -> Report:
        """Run the tasks, all to their end whatever becomes of one; what is known of the sweep then.

        Raises:
            UserError: there are not so many GPUs.
        """
        visible = self.visible()
        made = bundles(tasks, len(visible))
        return _Pool(visible[: len(made)], made, Store(folder)).run()


class _Pool:
    """A thread for each worker, which hands it bundles."""

    def __init__(self, visible: list[str], made: Sequence[Bundle], store: Store) -> None:
        self.visible, self.store = visible, store
        self.waiting = deque((bundle, 0) for bundle in made)  # and how many workers have died of it
        self.busy = 0
        self.report, self.changed = Report(), threading.Condition()
        self.left = TimeLeft(store, {one.key for bundle in made for one in bundle.todo})
        self.workers: dict[int, Worker] = {}
        self.stopping = False

    def run(self) -> Report:
        threads = [threading.Thread(target=self._serve, args=(k,), daemon=True) for k in range(len(self.visible))]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except Stopped:
            self._end(busy=True)
            raise
        self._end()
        return self.report

    def _end(self, busy: bool = False) -> None:
        """End the workers; busy ones in order, if they manage that in time."""
        with self.changed:
            self.stopping = True
            if busy:
                end_in_order(worker.process for worker in self.workers.values())
            for worker in self.workers.values():
                worker.end(read=busy)

    def _serve(self, number: int) -> None:
        while (taken := self._taken()) is not None:
            try:
                self._attempt(number, *taken)
            except Exception as error:  # such as of a worker that cannot be started
                with self.changed:
                    self._note(taken[0].failed(error).among(taken[0].lacking(self.store)))
            finally:
                with self.changed:
                    self.busy -= 1
                    self.changed.notify_all()

    def _taken(self) -> tuple[Bundle, int] | None:
        """The next bundle, as soon as there is one; None when there will be no more."""
        with self.changed:
            self.changed.wait_for(lambda: self.waiting or not self.busy)
            if self.stopping or self.report.stopped or not self.waiting:
                return None
            self.busy += 1
            return self.waiting.popleft()

    def _attempt(self, number: int, bundle: Bundle, died: int) -> None:
        with self.changed:
            if self.stopping:
                return
            if number not in self.workers:
                self.workers[number] = Worker(number, self.visible[number], len(self.visible))
            worker = self.workers[number]
        outcome = worker.run(bundle)
        with self.changed:
            if self.stopping:
                return
            if outcome is None:
                worker.end()
                code = self.workers.pop(number).process.returncode
                _tell(f"[{number}] the worker died (exit code {code}) in {bundle.title}")
                if died + 1 < ATTEMPTS:
                    again = bundle.apart(self.store) or [bundle]
                    self.waiting += [(one, died + 1) for one in again]
                    return
                why = f"{ATTEMPTS} worker processes died of the job, the last with exit code {code}."
                outcome = bundle.failed(why).among(bundle.lacking(self.store))
            self._note(outcome)

    def _note(self, outcome: Outcome) -> None:
        """Take a bundle's end into account; the caller holds the lock."""
        self.report.add(outcome)
        self.left.drop(self.report.failures)
        _tell(self.left())
