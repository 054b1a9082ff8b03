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

from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from pruneexp.errors import UserError, reason
from pruneexp.system.console import say_once
from pruneexp.system.tracking import MODE, NEEDS, check_installed, home, offline
from pruneexp.training.about import About, flat
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
def logging_to(kind: dict[str, Any], folder: Path, about: About) -> Iterator[list[Lenient]]:
    """The loggers of one cell, finished when the block ends; one that fails says so once, and logs no more.

    Args:
        kind: ``name`` none, csv, tensorboard or wandb; wandb takes ``project``.
        folder: under which they write, in a folder of their own.
        about: the cell.

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
        logger = Lenient(lambda: _csv(folder, about.key), lambda made, _: made.save(), failed)
    elif name == "tensorboard":
        logger = Lenient(
            lambda: _tensorboard(folder, about), lambda made, whole: _close_tensorboard(made, about, whole), failed
        )
    elif name == "wandb":
        run = functools.partial(WandbRun, kind["project"], folder, about)
        failed = functools.partial(_lowered, os.environ.get(MODE), folder)
        logger = Lenient(run, WandbRun.finish, failed, WandbRun.conclude)
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


def _tensorboard(folder: Path, about: About) -> TensorBoardLogger:
    shutil.rmtree(folder / "tensorboard" / about.key, ignore_errors=True)
    made = TensorBoardLogger(str(folder), name="tensorboard", version=about.key)
    made.hparams = dict(about.config)  # which it leaves as YAML
    _add_hparams(made, about, 1)
    return made


def _close_tensorboard(made: TensorBoardLogger, about: About, whole: bool) -> None:
    if whole:
        _add_hparams(made, about, 2)
    made.finalize("success")


def _add_hparams(made: TensorBoardLogger, about: About, part: int) -> None:
    """Tell the run's own file for TensorBoard's table of hyper-parameters how the run begins (1) or that it has ended well (2).

    The first part, by which one run would choose the columns for all, is left out: TensorBoard then takes them from all runs.
    """
    from torch.utils.tensorboard.summary import hparams

    made.experiment.file_writer.add_summary(hparams(flat(about.config), {})[part])


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
