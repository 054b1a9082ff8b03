"""A job as submitit runs it, on a cluster or on this machine, and what it leaves for whoever waits for it."""

import contextlib
import dataclasses
import importlib.util
import io
import os
import pickle
import shutil
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pruneexp.errors import UserError, reason
from pruneexp.failures import Failure
from pruneexp.launchers.bundle import Bundle
from pruneexp.launchers.task import Outcome
from pruneexp.records.store import Store
from pruneexp.system import files
from pruneexp.system.console import write_whatever
from pruneexp.system.files import unwritable
from pruneexp.system.signals import GRACE, Stopped, heeded
from pruneexp.system.tracking import MODE

NOTICE = signal.SIGUSR2  # what submitit has a job told before its time is up


@dataclass(frozen=True)
class RunBundle:
    """What submitit runs. A signal ends it in order: a training that is under way leaves its last epoch's state.

    After a notice submitit's own handler submits the job again as it was; it then goes on from that state.

    Attributes:
        attended: whether standard input ends when no one waits for the job any more, and the job then with it.
        tracking: W&B's mode as it was found out where the job was submitted; its own environment may lack that (``--export=NONE``).
    """

    attended: bool = False
    tracking: str | None = field(default_factory=lambda: os.environ.get(MODE))

    def __call__(self, bundle: Bundle) -> Outcome:
        again = signal.getsignal(NOTICE)  # submitit's
        if self.tracking is not None:
            os.environ.setdefault(MODE, self.tracking)
        write_whatever()
        try:
            with heeded(again=False, also=[NOTICE]):
                if self.attended:
                    threading.Thread(target=_end_with_input, daemon=True).start()
                outcome = bundle.run()
        except Stopped as stopped:
            sys.stdout.flush()
            if stopped.number == NOTICE and callable(again):
                return _submitted_again(again, bundle)
            sys.exit(stopped.code)
        sys.stdout.flush()
        return outcome

    def checkpoint(self, bundle: Bundle) -> Any:
        """The job as it is submitted again."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, bundle)


def _submitted_again(again: Any, bundle: Bundle) -> Outcome:
    """Call submitit's handler, which ends the process unless the job has been submitted too often."""
    from submitit.core.utils import UncompletedJobError

    with contextlib.suppress(UncompletedJobError):
        again(NOTICE, None)
    return bundle.failed(
        "its job ran out of its time as often as launcher.max_num_timeout allows; the same command goes on from its last epoch,"
        " launcher.timeout_min gives it more time."
    )


def _end_with_input() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)


@dataclass(frozen=True, eq=False)
class Submitted:
    """A job that someone waits for.

    Attributes:
        number: that it goes by.
        folder: of its logs and its result.
        bundle: what it is waited for.
    """

    number: str
    folder: Path
    bundle: Bundle

    @property
    def paths(self) -> Any:
        """Where submitit has what belongs to it."""
        from submitit.core.utils import JobPaths

        return JobPaths(self.folder, job_id=self.number)

    def left_a_result(self) -> bool:
        """Whether it has ended, and in order; or it had, and someone else who waited for it has deleted the folder."""
        return self.paths.result_pickle.exists() or not self.folder.exists()

    def last_words(self) -> str:
        """The end of what it wrote as its errors, in a sentence of its own, if anything."""
        last = " ".join(_text(self.paths.stderr).split()[-30:])
        return f" The end of {self.paths.stderr}: {last}" if last else ""

    def conclude(self, store: Store, why: str, again: bool = True) -> tuple[Outcome, list[Bundle]]:
        """Pass on what the ended job printed, and say how it ended, and what of it is to be tried again.

        Args:
            store: the records; a cell that has one has not failed.
            why: there might be no result.
            again: whether something may be, where there is none.
        """
        for line in _text(self.paths.stdout).splitlines():
            if not line.startswith("submitit "):
                print(f"[{self.number}] {line}", flush=True)
        ended = result(self.paths.result_pickle, self.bundle)
        if ended is None and again and (apart := self.bundle.apart(store)):
            print(f"{why}\nWhat job {self.number} was to do is tried again in {len(apart)} jobs.", flush=True)
            return Outcome(), apart
        return (ended or self.bundle.failed(why)).among(self.bundle.lacking(store)), []


def result(path: Path, bundle: Bundle) -> Outcome | None:
    """How a job ended by the result that submitit has written, if it has."""
    try:
        found = _left(path)
    except FileNotFoundError:
        return None
    except Exception as error:
        return bundle.failed(f"{path} is no result of a job ({reason(error)}).")
    if isinstance(found, Outcome):
        return found
    trace = found.rstrip() or "it says nothing"  # the job's Python could not even start the bundle
    failed = bundle.failed(trace.splitlines()[-1])
    return Outcome(tuple(dataclasses.replace(one, trace=trace) for one in failed.failures))


def ended_well(path: Path) -> bool:
    """Whether submitit has written there that a job has made all that it was to make."""
    try:
        return _left(path) == Outcome()
    except Exception:  # missing, damaged or out of reach: what lies beside it may tell why, and stays
        return False


def _left(path: Path) -> Outcome | str:
    """What a job has left: how it ended, or where in the program it could not even start.

    Raises:
        Exception: of any kind: it is missing, out of reach, or holds something else; none of it runs code.
    """
    _, found = _Result(io.BytesIO(files.read(path))).load()
    texts = [found] if not isinstance(found, Outcome) else [found.stopped]
    for one in found.failures if isinstance(found, Outcome) else ():
        texts += dataclasses.astuple(one) if isinstance(one, Failure) else [one]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("it holds something else")
    ended: Outcome | str = found
    return ended


class _Result(pickle.Unpickler):
    """What submitit writes when a job ends. Any other object is refused, so that no code is run: a results folder that was brought may
    tell of jobs, too."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in ((Outcome.__module__, "Outcome"), (Failure.__module__, "Failure")):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a job's result")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def need_submitit(launcher: str) -> None:
    """Raise UserError where submitit is not installed."""
    if importlib.util.find_spec("submitit") is None:
        raise UserError(f"launcher={launcher} needs the submitit package: pip install 'pruneexp[slurm]'.")


def new_folder(results: str) -> Path:
    """A new folder for jobs' logs and results.

    It is this user's alone, in a results folder that is shared too: what a job is to do is unpickled there, and could be anything if
    others could write it.

    Raises:
        UserError: it cannot be made.
    """
    parent = home(results)
    try:
        parent.mkdir(exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=parent))
    except OSError as error:
        raise UserError(unwritable(parent, error, "results_dir")) from error


def home(results: str) -> Path:
    """Where such folders are."""
    return Path(results).resolve() / ".submitit"


def remove(folder: Path) -> None:
    """Delete such a folder, and that where they are after the last."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):  # others are in it
        folder.parent.rmdir()
