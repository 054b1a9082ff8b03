"""Whether W&B takes runs from here: asked once ahead of a sweep, by a process of its own, so that nothing of it can hang or stay."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pruneexp.system.console import say_once

MODE = "WANDB_MODE"  # W&B's own; what has been found out stands there too, for this process and those that it starts
LOGS = ".logs"  # in the folder of results: what loggers write
SECONDS = 5  # for the server to answer
LIMIT = 60  # for the process, which imports wandb
ON = ("1", "true", "yes", "on")


@contextlib.contextmanager
def asking(wanted: bool) -> Iterator[Callable[[Path], None]]:
    """Ask whether W&B takes runs from here, beside what the block does until it calls what it is given with the loggers' folder.

    From then on to the end of the block W&B's mode is what was found out: ``offline`` where no key is configured, and, with a
    sentence, where the key or the server is of no use.

    Args:
        wanted: whether a logger is W&B's at all.
    """
    say_once.cache_clear()  # a new sweep
    before = os.environ.get(MODE)
    process = None
    if os.environ.get("WANDB_DISABLED", "").lower() in ON:
        os.environ[MODE] = "disabled"
    elif wanted and before not in ("offline", "dryrun", "disabled"):
        process = subprocess.Popen(
            [sys.executable, "-m", "pruneexp.system.tracking"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def answered(folder: Path) -> None:
        if process is not None:
            mode, why = _answer(process)
            os.environ[MODE] = mode
            if why:
                say_once("logger=wandb", offline(why, folder))

    try:
        yield answered
    finally:
        if process is not None:
            process.kill()
            process.communicate()
        os.environ.pop(MODE, None)
        if before is not None:
            os.environ[MODE] = before


def offline(why: str, folder: Path) -> str:
    """The sentence of a server that is of no use."""
    return f"W&B cannot be reached ({why}): the runs are kept offline under {home(folder) / 'wandb'}; `wandb sync` sends them later."


def home(folder: Path) -> Path:
    """Where W&B writes: where the user has it write, else in the loggers' folder."""
    return Path(os.environ.get("WANDB_DIR") or folder)


def _answer(process: "subprocess.Popen[bytes]") -> tuple[str, str]:
    try:
        mode, why = json.loads(process.communicate(timeout=LIMIT)[0])
    except (subprocess.TimeoutExpired, ValueError):
        return "offline", f"its Python package gives no answer within {LIMIT} seconds"
    return mode, why


def mode() -> tuple[str, str]:
    """The mode that W&B's runs can be made in here, by its own settings, and why they cannot be online, though they should be."""
    import wandb
    from wandb.errors import UsageError

    server = "its settings are wrong"
    begin = time.monotonic()
    try:
        settings = wandb.setup().settings
        server = settings.base_url
        if settings.mode in ("online", "run", "shared"):
            begin = time.monotonic()
            account = wandb.Api(timeout=SECONDS)
            with contextlib.suppress(ValueError):  # an answer, though not as this version of wandb has it
                _ = account.viewer
    except UsageError:  # no key is configured, and nobody can be asked for one
        return "offline", ""
    except Exception as error:
        if time.monotonic() - begin >= SECONDS:
            return "offline", f"{server} does not answer within {SECONDS} seconds"
        why = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        return "offline", why if server in why else f"{server}: {why}"
    return str(settings.mode), ""


if __name__ == "__main__":
    os.environ["WANDB_SILENT"] = "true"
    os.environ["WANDB_ERROR_REPORTING"] = "false"
    print(json.dumps(mode()), flush=True)
    os._exit(0)  # W&B's own end waits for the server
