"""One finished logger run for each cell."""

import contextlib
import hashlib
import netrc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger

from pruneexp.errors import UserError


@contextlib.contextmanager
def logging_to(
    kind: dict[str, Any], folder: Path, group: str, key: str, config: dict[str, Any]
) -> Iterator[list[Logger]]:
    """The loggers of one cell, finished when the block ends.

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
    if name == "none":
        yield []
    elif name == "csv":
        shutil.rmtree(folder / "csv" / key, ignore_errors=True)  # of a process that was killed
        logger = CSVLogger(folder, name="csv", version=key)
        yield [logger]
        logger.save()
    elif name == "tensorboard":
        shutil.rmtree(folder / "tensorboard" / key, ignore_errors=True)
        try:
            board = TensorBoardLogger(str(folder), name="tensorboard", version=key)
        except ModuleNotFoundError as error:
            raise UserError("logger=tensorboard needs the tensorboard package: pip install tensorboard.") from error
        yield [board]
        board.finalize("success")
    elif name == "wandb":
        yield from _wandb(kind["project"], folder, group, key, config)
    else:
        raise UserError(f"logger must be none, csv, tensorboard or wandb, got {name!r}.")


def _wandb(project: str, folder: Path, group: str, key: str, config: dict[str, Any]) -> Iterator[list[Logger]]:
    """A W&B run: online where a key is configured, else offline under `folder`/wandb. Always finished."""
    import wandb

    os.environ.setdefault("WANDB_SILENT", "true")
    folder.mkdir(parents=True, exist_ok=True)
    offline, run = not _key_configured(), hashlib.sha256(key.encode()).hexdigest()[:16]
    for left in folder.glob(f"wandb/offline-run-*-{run}"):  # of a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    logger = WandbLogger(
        name=key, id=run, save_dir=str(folder), project=project, group=group, offline=offline, config=config
    )
    try:
        yield [logger]
    except BaseException:
        wandb.finish(exit_code=1)
        raise
    wandb.finish()


def _key_configured() -> bool:
    """Is there a W&B key in the environment or where ``wandb login`` puts it?"""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return netrc.netrc().authenticators("api.wandb.ai") is not None
    except (OSError, netrc.NetrcParseError):
        return False
