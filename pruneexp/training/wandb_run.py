"""A run of W&B's that tells nothing of the machine, and that nobody waits for longer than said."""

import atexit
import contextlib
import errno
import functools
import hashlib
import logging
import os
import shutil
import signal
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pruneexp.system.collecting import paused
from pruneexp.system.tracking import MODE, home
from pruneexp.training.about import About

Result = TypeVar("Result")

START = 10  # seconds for the server to take a run
FINISH = 30  # seconds for the last rows to reach it
HUNG = 60  # seconds more, or for anything else, before W&B's service process is taken for dead
GRACE = 1  # second for that process to end by itself
STEP = "trainer/global_step"
QUIET: dict[str, Any] = {
    "init_timeout": START,
    "finish_timeout": FINISH,
    "finish_timeout_raises": True,
    "console": "off",
    "disable_code": True,
    "disable_git": True,
    "disable_job_creation": True,
    "host": "",
    "save_code": False,
    "email": "",
    "program": "pruneexp",
    "program_abspath": "",
    "program_relpath": "",
    "x_disable_machine_info": True,
    "x_disable_meta": True,
    "x_disable_stats": True,
    "x_executable": "",
    "x_save_requirements": False,
}  # W&B's own names; what the user has set is left as it is


class WandbRun:
    """A run beside others that may be open, in the mode that W&B's settings and `pruneexp.system.tracking` say.

    Args:
        project: W&B's.
        folder: under which its files go, unless the user has W&B write elsewhere.
        about: the run.

    Raises:
        Exception: whatever wandb raises.
        TimeoutError: it hangs.
    """

    def __init__(self, project: str, folder: Path, about: About) -> None:
        os.environ.setdefault("WANDB_SILENT", "true")
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        with paused():
            import wandb

        logging.getLogger("wandb").setLevel(
            logging.CRITICAL
        )  # it would print a traceback for each line that has no room
        folder = home(folder)
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):  # wandb would take the machine's folder for temporary files
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        number = hashlib.sha256(about.key.encode()).hexdigest()[:16]
        for left in folder.glob(f"wandb/offline-run-*-{number}"):  # of a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        # not WandbLogger's, which would have a second cell go on with the first one's run
        with paused():  # wandb imports more than half of itself here
            self.run = within(
                START + HUNG,
                lambda: wandb.init(
                    name=about.name,
                    id=number,
                    dir=str(folder),
                    project=project,
                    group=about.group,
                    job_type=about.kind,
                    tags=[*about.tags, *filter(None, os.environ.get("WANDB_TAGS", "").split(","))],
                    mode=os.environ.get(MODE) or None,  # type: ignore[arg-type]  # checked by wandb
                    config=dict(about.config),
                    resume="allow",
                    reinit="create_new",
                    settings=wandb.Settings(**_quiet(wandb.Settings.model_fields)),
                ),
            )
        _end_in_time()
        within(HUNG, self._define)

    def _define(self) -> None:
        self.run.define_metric(STEP)
        self.run.define_metric("*", step_metric=STEP, step_sync=True)

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        within(HUNG, lambda: self.run.log({**metrics, **({} if step is None else {STEP: step})}))

    def conclude(self, figures: Mapping[str, Any]) -> None:
        """Put figures beside the last row's into its summary."""
        within(HUNG, lambda: self.run.summary.update(dict(figures)))

    def finish(self, whole: bool) -> None:
        """End it, as failed unless it is whole.

        Raises:
            TimeoutError: not all has reached the server.
        """
        within(FINISH + HUNG, lambda: self.run.finish(exit_code=0 if whole else 1))


def _quiet(known: Collection[str]) -> dict[str, Any]:
    """The settings that this version of wandb knows and the user has not set by W&B's variables."""
    found = {}
    for name, value in QUIET.items():
        variable = "WANDB_" + name.removeprefix("x").upper()  # x_disable_meta: WANDB__DISABLE_META
        if name in known and variable not in os.environ:
            found[name] = value
    return found


def within(seconds: float, call: Callable[[], Result]) -> Result:
    """What the call returns, or raises.

    Raises:
        TimeoutError: it has not returned by then.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    thread.join(seconds)
    if results:
        return results[0]
    if errors and isinstance(errors[0], Exception):
        raise errors[0]
    raise TimeoutError(
        f"it does not answer within {seconds:g} seconds" if not errors else f"it ends with {errors[0]!r}"
    )


@functools.cache
def _end_in_time() -> None:
    """Have this process end though W&B's service process hangs, for which wandb's own end waits for ever; that comes after this one."""
    atexit.register(abandon)


def abandon() -> None:
    """End W&B's service process, which may hang, so that nothing waits for it any more; the next run starts another."""
    import wandb

    with contextlib.suppress(Exception):
        within(GRACE, wandb.teardown)
    for number in _services():
        with contextlib.suppress(OSError):
            os.kill(number, signal.SIGKILL)
    os.environ.pop("WANDB_SERVICE", None)  # where teardown could not


def _services() -> Iterator[int]:
    """Of this process's children those that are W&B's and alive, on Linux."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, _, rest = path.read_text(encoding="utf-8", errors="replace").rpartition(") ")
            state, parent, *_ = rest.split()
            if name.endswith("(wandb-core") and parent == str(os.getpid()) and state != "Z":
                yield int(path.parent.name)
