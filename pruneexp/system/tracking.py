"""What loggers need, looked at once ahead of a sweep: their packages; and whether W&B takes runs from here, which a process of its own
finds out, so that nothing of it can hang or stay."""

import contextlib
import importlib.util
import json
import netrc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pruneexp.errors import UserError
from pruneexp.system.console import say_once

MODE = "WANDB_MODE"  # W&B's own; what has been found out stands there too, for this process and those that it starts
LOGS = ".logs"  # in the folder of results: what loggers write
SECONDS = 5  # for the server to answer
LIMIT = 60  # for the process, which imports wandb
SERVER = "api.wandb.ai"  # its own, where no other is set
WRONG = "wrong"
ON = ("1", "true", "yes", "on")
HERE = ("offline", "dryrun", "disabled")  # the modes that need no server
# of its variables those that say nothing of one
PLAIN = (MODE, "WANDB_DIR", "WANDB_DISABLED", "WANDB_ERROR_REPORTING", "WANDB_SILENT")
NEEDS = {"tensorboard": "tensorboard", "wandb": "wandb"}  # the package of each logger, where it may be missing


def check_installed(name: str) -> None:
    """Raise UserError where the package of the logger is missing; none of it is imported."""
    if name in NEEDS and importlib.util.find_spec(NEEDS[name]) is None:
        raise UserError(
            f"logger={name} needs the {NEEDS[name]} package: pip install {NEEDS[name]}, or take logger=csv or logger=none."
        )


@contextlib.contextmanager
def asking(wanted: bool) -> Iterator[Callable[[Path], None]]:
    """Ask whether W&B takes runs from here, beside what the block does until it calls what it is given with the loggers' folder.

    From then on to the end of the block W&B's mode is what was found out: ``offline`` where no key is configured, and, with a
    sentence, where the key or the server is of no use.

    Args:
        wanted: whether a logger is W&B's at all.

    Raises:
        UserError: by what it is given: a setting of W&B's is none that it takes.
    """
    say_once.cache_clear()  # a new sweep
    before = os.environ.get(MODE)
    process = None
    if os.environ.get("WANDB_DISABLED", "").lower() in ON:
        os.environ[MODE] = "disabled"
    elif wanted and before in (None, *HERE) and not _anything_set():
        os.environ[MODE] = before or "offline"
    elif wanted:
        process = subprocess.Popen(
            [sys.executable, "-m", "pruneexp.system.tracking"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def answered(folder: Path) -> None:
        if process is not None:
            mode, why = _answer(process)
            if mode == WRONG:
                raise UserError(why)
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


def _anything_set() -> bool:
    """Whether W&B would find a key here, or a setting: where it plainly would not, it need not be asked.

    Only its own server's key counts in a netrc file; another server would be a setting.
    """
    if any(name.startswith("WANDB_") and name not in PLAIN for name in os.environ):
        return True
    # SageMaker's jobs bring keys of their own
    if "SM_TRAINING_ENV" in os.environ or os.path.exists("/opt/ml/input/config"):
        return True
    local = Path(os.environ.get("WANDB_DIR") or ".")
    if any(
        os.path.exists(folder / "settings")  # which of another's folder, where HOME is his, is False
        for folder in (Path(os.path.expanduser("~/.config/wandb")), local / "wandb", local / ".wandb")
    ):
        return True
    named = os.environ.get("NETRC")
    for path in [named] if named else ["~/.netrc", "~/_netrc"]:
        try:
            if netrc.netrc(os.path.expanduser(path)).authenticators(SERVER):
                return True
        except FileNotFoundError:
            pass
        except (OSError, ValueError, netrc.NetrcParseError):
            return True  # W&B may read it otherwise
    return False


def offline(why: str, folder: Path) -> str:
    """The sentence of a server that is of no use."""
    return f"W&B cannot be reached ({why}): the runs are kept offline under {home(folder) / 'wandb'}; `wandb sync` sends them later."


def home(folder: Path) -> Path:
    """Where W&B writes: where the user has it write, else in the loggers' folder."""
    return Path(os.environ.get("WANDB_DIR") or folder)


def has_runs(folder: Path) -> bool:
    """Whether runs of W&B's lie where it writes, and more may be put beside them.

    Args:
        folder: the loggers'.
    """
    return os.access(home(folder) / "wandb", os.W_OK)


def _answer(process: "subprocess.Popen[bytes]") -> tuple[str, str]:
    try:
        mode, why = json.loads(process.communicate(timeout=LIMIT)[0])
    except (subprocess.TimeoutExpired, ValueError):
        return "offline", f"its Python package gives no answer within {LIMIT} seconds"
    return mode, why


def mode() -> tuple[str, str]:
    """The mode that W&B's runs can be made in here, by its own settings, and why they cannot be online, though they should be.

    Of settings that it does not take the mode is `WRONG`, and the sentence the user's.
    """
    import wandb
    from pydantic import ValidationError
    from wandb.errors import UsageError

    try:
        settings = wandb.setup().settings
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"][:1])
        return WRONG, (
            f"W&B's setting {name} (WANDB_{name.upper()}) is {first['input']!r}, and W&B says: {first['msg']}. Set it right, unset it, or"
            " take logger=csv."
        )
    server, begin = settings.base_url, time.monotonic()
    try:
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
