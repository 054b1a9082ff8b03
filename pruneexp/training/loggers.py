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
    """A W&B run beside others that may be open: online where a key is configured, else offline under `folder`/wandb. Always finished."""
    import wandb

    os.environ.setdefault("WANDB_SILENT", "true")
    folder.mkdir(parents=True, exist_ok=True)
    number = hashlib.sha256(key.encode()).hexdigest()[:16]
    for left in folder.glob(f"wandb/offline-run-*-{number}"):  # of a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    # not left to WandbLogger, which would have a second cell go on with the first one's run
    run = wandb.init(
        name=key,
        id=number,
        dir=str(folder),
        project=project,
        group=group,
        mode=None if _key_configured() else "offline",
        config=config,
        resume="allow",
        reinit="create_new",
    )
    run.define_metric("trainer/global_step")
    run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    try:
        yield [WandbLogger(experiment=run)]
    except BaseException:
        run.finish(exit_code=1)
        raise
    run.finish()


def _key_configured() -> bool:
    """Is there a W&B key in the environment or where ``wandb login`` puts it?"""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return netrc.netrc().authenticators("api.wandb.ai") is not None
    except (OSError, netrc.NetrcParseError):
        return False
