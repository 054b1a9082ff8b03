"""One finished logger run for each cell; what fails of it is told, and training goes on."""

import contextlib
import functools
import os
import shutil
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger

from pruneexp.errors import UserError, reason
from pruneexp.system.console import say_once
from pruneexp.system.tracking import MODE, NEEDS, check_installed, home, offline
from pruneexp.training.lenient import Lenient
from pruneexp.training.wandb_run import WandbRun, abandon


@functools.cache
def hush() -> None:
    """Have the trackers' own threads die without a traceback: what they could not do is told by `Lenient`."""
    usual = threading.excepthook

    def told(death: threading.ExceptHookArgs) -> None:
        modules = {frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(death.exc_traceback)}
        if not NEEDS.keys() & {module.partition(".")[0] for module in modules}:
            usual(death)

    threading.excepthook = told


@contextlib.contextmanager
def logging_to(
    kind: dict[str, Any], folder: Path, group: str, key: str, config: dict[str, Any]
) -> Iterator[list[Logger]]:
    """The loggers of one cell, finished when the block ends; one that fails says so once, and logs no more.

    Args:
        kind: ``name`` none, csv, tensorboard or wandb; wandb takes ``project``.
        folder: under which they write, in a folder of their own.
        group: the experiment, W&B's group.
        key: the cell, the run's name.
        config: logged as hyper-parameters.

    Raises:
        UserError: unknown name, or its package is missing.
    """
    name = kind["name"]
    check_installed(name)
    failed = functools.partial(_failed, name, folder / name)
    if name == "none":
        yield []
        return
    hush()
    if name == "csv":
        logger = Lenient(lambda: _csv(folder, key), lambda made, _: made.save(), failed)
    elif name == "tensorboard":
        logger = Lenient(lambda: _tensorboard(folder, key), lambda made, _: made.finalize("success"), failed)
    elif name == "wandb":
        run = functools.partial(WandbRun, kind["project"], folder, group, key, config)
        logger = Lenient(run, WandbRun.finish, functools.partial(_lowered, os.environ.get(MODE), folder))
    else:
        raise UserError(f"logger must be none, csv, tensorboard or wandb, got {name!r}.")
    try:
        yield [logger]
    except BaseException:
        logger.close(whole=False)
        raise
    logger.close(whole=True)


def _csv(folder: Path, key: str) -> CSVLogger:
    shutil.rmtree(folder / "csv" / key, ignore_errors=True)  # of a process that was killed
    return CSVLogger(folder, name="csv", version=key)


def _tensorboard(folder: Path, key: str) -> TensorBoardLogger:
    shutil.rmtree(folder / "tensorboard" / key, ignore_errors=True)
    return TensorBoardLogger(str(folder), name="tensorboard", version=key)


def _root(error: BaseException) -> BaseException:
    """What the machine said, where that is what the libraries' errors come from."""
    cause = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return cause if isinstance(cause, OSError) else error


def _why(error: Exception) -> str:
    return reason(_root(error))


def _failed(name: str, folder: Path, error: Exception) -> None:
    say_once(f"logger={name}", f"nothing more can be logged under {folder} ({_why(error)}): training goes on without.")


def _lowered(mode: str | None, folder: Path, error: Exception) -> None:
    """After trouble with a run of this mode: further ones are kept offline; where that is no help, there are none."""
    root = _root(error)
    here = isinstance(root, OSError) and not isinstance(root, ConnectionError | TimeoutError)
    os.environ[MODE] = "disabled" if here or mode in ("offline", "dryrun", "disabled") else "offline"
    abandon()
    if os.environ[MODE] == "offline":
        say_once("logger=wandb", offline(_why(error), folder))
    else:
        _failed("wandb", home(folder) / "wandb", error)
