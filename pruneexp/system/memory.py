"""Memory that is free for this process, and what has become of a program that asked for more."""

import resource
from pathlib import Path

import torch

GIB = 2**30
CGROUPS = (  # limit, and what is taken of it: https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)


def available(root: Path = Path("/")) -> int | None:
    """Bytes that this process can still have: of the machine's, of its control group's and of its own limit the least; None where
    nothing says so.

    Args:
        root: where proc and sys are.
    """
    return min([*_of_machine(root), *_of_group(root), *_of_limit(root)], default=None)


def said(size: float) -> str:
    """Bytes as people read them."""
    return f"{size / GIB:.1f} GiB" if size < 1024 * GIB else f"{size / (1024 * GIB):.3g} TiB"


def ran_out(error: BaseException) -> bool:
    """Whether an error says that there was no memory: Python's, torch's on a GPU or on the CPU, which is a plain RuntimeError."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and ("can't allocate memory" in str(error) or "out of memory" in str(error))
    )


def _of_machine(root: Path) -> list[int]:
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()
        return [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    except OSError:  # no Linux
        return []


def _of_group(root: Path) -> list[int]:
    found = []
    for limit, taken in CGROUPS:
        try:
            texts = [(root / "sys/fs/cgroup" / name).read_text(encoding="ascii").strip() for name in (limit, taken)]
            found += [max(0, int(texts[0]) - int(texts[1]))] if texts[0] != "max" else []
        except OSError:
            continue
    return found


def _of_limit(root: Path) -> list[int]:
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return []
    pages = int((root / "proc/self/statm").read_text(encoding="ascii").split()[0])
    return [max(0, limit - pages * resource.getpagesize())]
