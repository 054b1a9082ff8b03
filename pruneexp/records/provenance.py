"""Where a number comes from: code version, packages, hardware."""

import functools
import hashlib
import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pruneexp.errors import UserError
from pruneexp.system.shipped import PACKAGE

PACKAGES = ("pruneexp", "torch", "torchvision", "lightning", "numpy", "scipy")


def provenance(command: str, device: str, precision: str) -> dict[str, Any]:
    """Versions, git commit (with a + where the checkout differs from it), command and hardware."""
    return {
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "git_commit": git_commit(),
        "command": command,
        "device": device,
        "precision": precision,
    }


@functools.cache
def code_digest() -> str:
    """SHA-256 over pruneexp's own files and the versions of the packages that it computes with, as they are when first asked for."""
    parts = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(PACKAGE.rglob("*.py"))]
    return hashlib.sha256("".join([*parts, *(str(_version(name)) for name in PACKAGES)]).encode()).hexdigest()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@functools.cache
def git_commit() -> str | None:
    """The checkout's commit when first asked for, with a + where it was changed.

    Where there is no checkout, as in a copy of one on another machine, what the environment variable PRUNEEXP_COMMIT says; None
    where it says nothing.

    Raises:
        UserError: it says something that is no commit.
    """
    if not (PACKAGE.parent / ".git").exists():
        told = os.environ.get("PRUNEEXP_COMMIT", "")
        if told and not re.fullmatch(r"[0-9a-f]{40}\+?", told):
            raise UserError(
                "PRUNEEXP_COMMIT must be the 40 digits that `git rev-parse HEAD` prints, with a + behind them where the code was"
                f" changed, got {told!r}."
            )
        return told or None

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "--no-optional-locks", "-C", str(PACKAGE.parent), *arguments],  # a killed one would leave its lock
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=True,
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "pruneexp", "conf")
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None
